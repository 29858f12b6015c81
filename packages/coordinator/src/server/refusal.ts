// In: whatever a handler threw. Out: the gRPC status a caller is told. Anything but a WeftError is a bug here: the
// caller learns no more than that, the log does.
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { isWeftError } from "@weft/shared/errors/weft-error";
import { refusalOf as expectedRefusal } from "@weft/shared/wire/rpc-refusal";

const unexpected = {
  code: status.INTERNAL,
  details: "the coordinator failed; its log says how",
};

export function refusalOf(failure: unknown): ServiceError {
  const refusal = isWeftError(failure)
    ? expectedRefusal(failure)
    : { ...unexpected, metadata: new Metadata() };
  return Object.assign(new Error(refusal.details), refusal);
}
