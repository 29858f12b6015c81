// A call whose connection was closed in the meantime fails like one that finds nobody: grpc-js throws of it.

import * as grpc from "@grpc/grpc-js";
import { expect, it } from "@jest/globals";
import { AgentServiceClient, type ProbeResponse } from "@weft/shared/gen/weft/v1/agent";
import { unaryCall } from "./unary-call.ts";

it("says of a client that was closed that the coordinator cannot be reached", async () => {
  const client = new AgentServiceClient("127.0.0.1:1", grpc.credentials.createInsecure());
  client.close();
  const call = unaryCall<ProbeResponse>((options, done) =>
    client.probe({ nonce: Buffer.alloc(16) }, new grpc.Metadata(), options, done),
  );
  await expect(call).rejects.toMatchObject({ code: "WEFT-E500", why: "Channel has been shut down" });
});
