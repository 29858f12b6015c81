import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { endpointLink, renderEndpointFile } from "@weft/shared/render/cilium-endpoint-link";
import { endpointFile } from "@weft/shared/render/cilium-places";
import { EndpointMachine } from "../../../../test/support/cilium/endpoint-machine.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { ensureNamespace, openLink } from "./namespace-link.ts";
import { StepBook } from "./step-book.ts";

const link = endpointLink("api1", "api").name;
const unit = "weft-netns@api.service";

let host: FakeHost;
let machine: EndpointMachine;
let book: StepBook;

beforeEach(() => {
  host = new FakeHost();
  machine = new EndpointMachine(host);
  book = new StepBook(host.clock);
});
afterEach(() => host.dispose());

const textWith = (address: string, mtu = 1500) =>
  renderEndpointFile({ node: "api1", resolver: undefined, mtu }, { service: "api", address });
const ensure = (text = textWith("10.42.1.80")) => ensureNamespace(host, book, { service: "api", link, text });
const steps = () => book.steps.map(({ step, subject }) => `${step} ${subject}`);
const there = async () => {
  await ensure();
  machine.events.length = 0;
};

it("no namespace: it is made, with a link that is down", async () => {
  expect(await ensure()).toEqual({ name: link, index: 31, isUp: false, isNew: true });
  expect(machine.events).toEqual([`write ${endpointFile("api")}`, `start ${unit}`]);
  expect(steps()).toEqual(["makeNamespace api"]);
});

it("one whose unit has failed is made, too", async () => {
  await there();
  host.units.states.set(unit, { active: "failed", enabled: false, exists: true });
  await ensure();
  expect(machine.events).toEqual([`start ${unit}`]);
});

it("namespace and link there: nothing is done", async () => {
  await there();
  expect(await ensure()).toMatchObject({ index: 31 });
  expect(machine.events).toEqual([]);
  expect(steps()).toEqual(["makeNamespace api"]);
});

it("the namespace's file is lost: it is made anew, and its service with it", async () => {
  await there();
  rmSync(join(host.root, "/run/netns/weft-api"));
  expect(await ensure()).toMatchObject({ index: 32, isUp: false });
  expect(machine.events).toEqual([`restart ${unit}`]);
  expect(steps().at(-1)).toBe("remakeNamespace api");
});

describe("the link is lost", () => {
  it("and made again, without a restart of anything", async () => {
    await there();
    machine.links.delete(link);
    expect(await ensure()).toMatchObject({ index: 32, isUp: false });
    expect(machine.events).toEqual([`reloadUnit ${unit}`]);
    expect(steps().at(-1)).toBe("remakeLink api");
  });

  it("also when somebody made one of that name that leads into no namespace", async () => {
    await there();
    machine.links.set(link, { index: 77, isUp: true, isPaired: false });
    await expect(ensure()).rejects.toMatchObject({
      code: "WEFT-E402",
      message: `${unit} has made no link ${link}`,
      hint: expect.stringContaining(unit),
    });
    expect(machine.events).toEqual([`reloadUnit ${unit}`]);
  });
});

describe("what it is made from is another", () => {
  it("address: it is made anew, and its service with it", async () => {
    await there();
    expect(await ensure(textWith("10.42.1.90"))).toMatchObject({ index: 32, isUp: false });
    expect(machine.events).toEqual([`write ${endpointFile("api")}`, `restart ${unit}`]);
    expect(machine.insideAddresses.get("api")).toBe("10.42.1.90");
    expect(steps().at(-1)).toBe("changeNamespace api");
  });

  it("MTU: it is changed under its service", async () => {
    await there();
    expect(await ensure(textWith("10.42.1.80", 9000))).toMatchObject({ index: 31 });
    expect(machine.events).toEqual([`write ${endpointFile("api")}`, `reloadUnit ${unit}`]);
  });

  it("and the change fails: the next look tries again", async () => {
    await there();
    machine.failing.add(`restart ${unit}`);
    await expect(ensure(textWith("10.42.1.90"))).rejects.toThrow(/restart .* failed/);
    machine.failing.clear();
    await ensure(textWith("10.42.1.90"));
    expect(machine.insideAddresses.get("api")).toBe("10.42.1.90");
  });
});

describe("openLink", () => {
  it("sets up what is down, and leaves what is up", async () => {
    const made = await ensure();
    machine.events.length = 0;
    await openLink(host, book, made.name);
    expect(machine.events).toEqual([`ip link set dev ${link} up`]);
    const opened = await ensure();
    expect(opened.isUp).toBe(true);
    await openLink(host, book, opened.name);
    expect(machine.events).toHaveLength(1);
  });
});
