import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { places } from "../state/places.ts";
import { ComponentStore, componentPath } from "./component-store.ts";

const good = Buffer.from("the right bytes");
const sha256 = createHash("sha256").update(good).digest("hex");
const path = componentPath("coredns");
const never = new AbortController().signal;
let host: FakeHost;

beforeEach(async () => {
  host = new FakeHost();
  const binaries = [{ name: "coredns", unit: "weft-dns.service", runsOn: "node", sha256: [sha256] }];
  const catalogue = { format: 1, platform: "linux-x64", components: [{ version: "1.14.7", binaries }] };
  await host.files.write(places.catalogue, JSON.stringify(catalogue));
});
afterEach(() => host.dispose());

const store = (bytes: Uint8Array | undefined) =>
  new ComponentStore(host.files, () =>
    bytes === undefined
      ? undefined
      : (async function* () {
          yield bytes.subarray(0, 3);
          yield bytes.subarray(3);
        })(),
  );

describe("ComponentStore", () => {
  it("fetches what is missing, executable, and finds it good", async () => {
    const components = store(good);
    expect(await components.isGood("coredns")).toBe(false);
    await components.fetch("coredns", never);
    expect(await components.isGood("coredns")).toBe(true);
    expect((await host.files.info(path))?.mode).toBe(0o755);
    expect(await components.facts()).toEqual([{ name: "coredns", version: "1.14.7", source: path }]);
  });

  it("takes nothing with a hash its own release does not accept, whoever serves it", async () => {
    await expect(store(Buffer.from("something else")).fetch("coredns", never)).rejects.toMatchObject({
      code: "WEFT-E301",
    });
    expect(await host.files.list(places.components)).toEqual([]);
  });

  it("replaces what was tampered with", async () => {
    await host.files.write(path, "tampered", { mode: 0o755 });
    expect(await store(good).isGood("coredns")).toBe(false);
  });

  it("says that the coordinator is away, and knows no foreign names", async () => {
    await expect(store(undefined).fetch("coredns", never)).rejects.toMatchObject({ code: "WEFT-E300" });
    await expect(store(good).fetch("rootkit", never)).rejects.toMatchObject({ code: "WEFT-E300" });
  });
});
