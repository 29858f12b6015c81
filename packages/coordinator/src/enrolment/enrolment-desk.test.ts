import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { makeCsr } from "@weft/shared/spiffe/csr";
import { eventually } from "../../../../test/support/eventually.ts";
import { FakeSpire } from "../../../../test/support/fake-spire.ts";
import { SqliteStore } from "../store/sqlite-store.ts";
import { EnrolmentDesk, type JoinRequest } from "./enrolment-desk.ts";
import { Membership } from "./membership.ts";

const trustDomain = "mesh.internal";
const now = () => new Date();
let store: SqliteStore;
let spire: FakeSpire;
let desk: EnrolmentDesk;
let membership: Membership;
beforeEach(() => {
  store = new SqliteStore(":memory:");
  spire = new FakeSpire();
  const changed = () => {};
  desk = new EnrolmentDesk({ store, spire, trustDomain, nodeSvidSeconds: 600, now, changed });
  membership = new Membership({ store, spire, trustDomain, now, randomBytes, changed });
});
afterEach(() => store.close());

function request(token: string): JoinRequest {
  return {
    token,
    csrDer: makeCsr(`spiffe://${trustDomain}/weft/node/web1`).csrDer,
    enrolmentKey: Uint8Array.of(1, 2, 3),
    address: "10.0.0.1",
    agentVersion: "1",
  };
}

const newToken = () =>
  membership.addToken({ node: "web1", address: undefined, ttlSeconds: 900, actor: "ada", online: false })
    .token;

describe("a join", () => {
  it("that the operator's removal overtakes lets nobody back in", async () => {
    await desk.join(request(newToken()));
    store.nodes.setState("web1", "suspended");
    let open = () => {};
    spire.gate = new Promise((resolve) => {
      open = resolve;
    });
    const late = desk.join(request(newToken()));
    await eventually("SPIRE is asked", () => spire.asked === 2);
    membership.remove("web1", "ada");
    open();
    await expect(late).rejects.toMatchObject({ code: "WEFT-E201" });
    expect(store.nodes.get("web1")?.state).toBe("removed");
  });

  it("without an answer is over once a second machine used its token", async () => {
    await desk.join(request(newToken()));
    const first = request(newToken());
    spire.away = true;
    await expect(desk.join(first)).rejects.toMatchObject({ code: "WEFT-E501" });
    spire.away = false;
    for (const join of [{ ...first, enrolmentKey: Uint8Array.of(4) }, first])
      await expect(desk.join(join)).rejects.toMatchObject({ code: "WEFT-E201" });
    expect(store.nodes.get("web1")?.state).toBe("suspended");
    await expect(desk.join(request(newToken()))).resolves.toMatchObject({ node: "web1" });
  });

  it("of a node that had left goes on after the SPIRE server was away", async () => {
    await desk.join(request(newToken()));
    membership.leave("web1");
    const again = request(newToken());
    spire.away = true;
    await expect(desk.join(again)).rejects.toMatchObject({ code: "WEFT-E501" });
    spire.away = false;
    await expect(desk.join(again)).resolves.toMatchObject({ node: "web1" });
    expect(store.nodes.get("web1")?.state).toBe("joining");
  });
});
