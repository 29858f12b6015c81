import { describe, expect, it } from "@jest/globals";
import { parseAddresses } from "./parse-addresses.ts";
import { parseSockets } from "./parse-sockets.ts";
import { parseTracked } from "./parse-tracked.ts";

const printed = `
udp ESTAB      0      0       10.9.0.1:51557  10.9.0.2:5300 uid:2001 ino:333294 sk:c cgroup:unreachable:1 <->
udp UNCONN     0      0                *:5300         *:*    uid:2002 ino:332487 sk:1011 v6only:0 <->
udp UNCONN     0      0      127.0.0.53%lo:53   0.0.0.0:*    uid:991 ino:5 sk:2 <->
tcp LISTEN     0      511          [::1]:8080      [::]:*    ino:332486 sk:1012 v6only:0 <->
tcp ESTAB      0      0      [::ffff:10.9.0.2]:8080 [::ffff:10.9.0.1]:55990 uid:2002 ino:333955 sk:1013 <->
tcp ESTAB      0      0      [fe80::1]%eth0:8080 [fe80::2]%eth0:55820 ino:334358 sk:1014 <->
tcp FIN-WAIT-1 0      404444 10.9.0.1:41968 10.9.0.2:18080 timer:(persist,124ms,0) ino:0 sk:105e ---
tcp FIN-WAIT-2 0      0      10.9.0.1:41969 10.9.0.2:18080 timer:(timewait,59sec,0) ino:0 sk:105f ---
tcp TIME-WAIT  0      0      10.9.0.1:41970 10.9.0.2:18080 timer:(timewait,59sec,0) ino:0 sk:0
sctp ESTAB     0      0      10.9.0.1:1 10.9.0.2:2
`;

describe("what ss prints", () => {
  it("is sockets with a peer, with the uid of whoever holds them", () => {
    const { sockets, unread } = parseSockets(printed);
    const of = (socket: (typeof sockets)[number]) =>
      `${socket.protocol} ${socket.local.address} ${socket.local.port} ${socket.peer.address} ${socket.peer.port} ${socket.uid}`;
    expect(sockets.map(of)).toEqual([
      "udp 10.9.0.1 51557 10.9.0.2 5300 2001",
      "tcp 10.9.0.2 8080 10.9.0.1 55990 2002",
      "tcp fe80::1 8080 fe80::2 55820 0",
      "tcp 10.9.0.1 41968 10.9.0.2 18080 undefined",
    ]);
    expect(unread).toBe(0);
  });

  it("is sockets without one, by port and address", () => {
    expect(parseSockets(printed).loose).toEqual([
      { protocol: "udp", address: undefined, port: 5300, uid: 2002 },
      { protocol: "udp", address: "127.0.0.53", port: 53, uid: 991 },
      { protocol: "tcp", address: "::1", port: 8080, uid: 0 },
    ]);
  });

  it("counts what it cannot read, and takes nothing from it", () => {
    const odd = [
      "tcp ESTAB 0 0 10.9.0.1:99999 10.9.0.2:1 uid:1 ino:5",
      "tcp ESTAB 0 0 nowhere 10.9.0.2:1 uid:1 ino:5",
      "tcp ESTAB 0 0 10.9.0.1:1 10.9.0.2:1 uid:1",
      "tcp ESTAB 0 0 10.9.0.1:1 *:* ino:5",
      "tcp ESTAB 0",
    ];
    expect(parseSockets(odd.join("\n"))).toEqual({ sockets: [], loose: [], unread: 5 });
  });
});

describe("what conntrack prints", () => {
  const nated =
    "ipv4     2 tcp      6 431999 ESTABLISHED src=172.17.0.2 dst=10.77.0.12 sport=40000 dport=8080 " +
    "src=10.77.0.12 dst=10.77.0.11 sport=8080 dport=61000 [ASSURED] mark=0 zone=3 use=1";

  it("is both directions of a flow, translated", () => {
    expect(parseTracked(nated).tracked).toEqual([
      {
        protocol: "tcp",
        original: {
          source: { address: "172.17.0.2", port: 40000 },
          destination: { address: "10.77.0.12", port: 8080 },
        },
        reply: {
          source: { address: "10.77.0.12", port: 8080 },
          destination: { address: "10.77.0.11", port: 61000 },
        },
        zone: 3,
      },
    ]);
  });

  it("leaves out what is over and what is neither TCP nor UDP, and counts what it cannot read", () => {
    const lines = [
      nated.replace("ESTABLISHED", "TIME_WAIT"),
      nated.replace("ESTABLISHED", "CLOSE"),
      "ipv4 2 icmp 1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=1 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=1",
      "ipv4 2 udp 17 28 src=10.9.0.1 dst=10.9.0.2 sport=1 dport=5300 [UNREPLIED] src=10.9.0.2 dst=10.9.0.1 sport=5300 dport=1 use=1",
      "ipv4 2 udp 17 28 src=10.9.0.1 dst=elsewhere sport=1 dport=5300 src=10.9.0.2 dst=10.9.0.1 sport=5300 dport=1",
    ];
    const { tracked, unread } = parseTracked(lines.join("\n"));
    expect([tracked.map(({ protocol }) => protocol), unread]).toEqual([["udp"], 1]);
  });
});

it("the addresses of a network are those of its own, of both families", () => {
  const fib = `Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.77.0.0
        /24 link UNICAST
     |-- 10.77.0.11
        /32 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 10.77.0.255
        /32 link BROADCAST
`;
  const six = `fd770000000000000000000000000011 02 40 00 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
`;
  expect([...parseAddresses(fib, six)]).toEqual(["10.77.0.11", "fd77::11"]);
});
