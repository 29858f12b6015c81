// In: where a caller says its operator sits. Out: the same in one spelling, or nothing if it is no address: a claim that
// cannot be read makes nobody safer and must not stop anybody. Pure.
import type { OperatorSession as Message } from "@weft/shared/gen/weft/v1/guard";
import { normaliseAddress } from "@weft/shared/model/address";
import type { OperatorSession } from "../guard/risk.ts";

export function decodeOperator(message: Message | undefined): OperatorSession | undefined {
  if (message === undefined) return undefined;
  const address = normaliseAddress(message.address);
  const isPort = message.port >= 1 && message.port <= 65_535;
  return address === undefined || !isPort ? undefined : { address, port: message.port };
}
