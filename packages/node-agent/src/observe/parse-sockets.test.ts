import { describe, expect, it } from "@jest/globals";
import { parseListeners } from "./parse-sockets.ts";

const head =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const v4 = `${head}
   0: 0C004D0A:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 1 1
   1: 0C004D0A:1F90 0B004D0A:B0C4 01 00000000:00000000 00:00000000 00000000   998        0 2 1
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1
`;
const v6 = `${head}
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 4 1
   1: 000077FD000000000000000012000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5 1
`;

describe("who listens", () => {
  it("on a port, of both families, not who is connected", () => {
    expect(parseListeners("tcp", 8080, { v4, v6 })).toEqual([
      { address: "10.77.0.12", uid: 998 },
      { address: "::", uid: 998 },
      { address: "fd77:0:0:0:0:0:0:12", uid: 0 },
    ]);
    expect(parseListeners("tcp", 22, { v4, v6 })).toEqual([{ address: "0.0.0.0", uid: 0 }]);
    expect(parseListeners("tcp", 9999, { v4, v6 })).toEqual([]);
  });

  it("over UDP: a socket without a peer", () => {
    const udp = v4.replace("00000000:0000 0A", "00000000:0000 07");
    expect(parseListeners("udp", 8080, { v4: udp, v6: "" })).toEqual([{ address: "10.77.0.12", uid: 998 }]);
  });
});
