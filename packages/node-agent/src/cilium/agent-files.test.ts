import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { EndpointMachine } from "../../../../test/support/cilium/endpoint-machine.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { putFiles } from "./agent-files.ts";
import { StepBook } from "./step-book.ts";

const folder = "/etc/weft/cilium/agent.d";
const wanted = new Map([
  [`${folder}/ipam`, "cluster-pool"],
  [`${folder}/kvstore`, "etcd"],
  ["/etc/weft/cilium/etcd.yaml", "{}\n"],
]);

let host: FakeHost;
let machine: EndpointMachine;
let book: StepBook;

beforeEach(() => {
  host = new FakeHost();
  machine = new EndpointMachine(host);
  book = new StepBook(host.clock);
});
afterEach(() => host.dispose());

const put = () => putFiles(host, book, wanted, [folder]);
const anew = () => {
  machine.events.length = 0;
};
const last = () => book.steps.at(-1);

it("all are written where none is, and nothing at all when they are equal", async () => {
  await put();
  for (const [path, text] of wanted) expect(await host.files.readText(path)).toBe(text);
  expect((await host.files.info(`${folder}/ipam`))?.mode).toBe(0o644);
  expect(last()).toMatchObject({ step: "writeFiles", subject: `${folder}/ipam and 2 more` });
  anew();
  await put();
  expect(machine.events).toEqual([]);
  expect(book.steps).toHaveLength(1);
});

it("only what differs is written", async () => {
  await put();
  await host.files.write(`${folder}/kvstore`, "consul");
  anew();
  await put();
  expect(machine.events).toEqual([`write ${folder}/kvstore`]);
  expect(last()).toMatchObject({ subject: `${folder}/kvstore` });
});

it("an option too many is removed: an agent would take it; what is beside the folder stays", async () => {
  await put();
  await host.files.write(`${folder}/enable-policy`, "never");
  await host.files.write("/etc/weft/cilium/ca.pem", "CA");
  anew();
  await put();
  expect(machine.events).toEqual([`remove ${folder}/enable-policy`]);
  expect(await host.files.list(folder)).toEqual(["ipam", "kvstore"]);
  expect(await host.files.readText("/etc/weft/cilium/ca.pem")).toBe("CA");
});

it("what has to be done before is done before, only where there is something to change, and else nothing is", async () => {
  const before = () => host.units.stop("weft-cilium.service");
  const stopped = () => putFiles(host, book, wanted, [folder], before);
  machine.failing.add("stop weft-cilium.service");
  await expect(stopped()).rejects.toThrow(/stop weft-cilium/);
  expect(await host.files.list(folder)).toEqual([]);
  machine.failing.clear();
  anew();
  await stopped();
  expect(machine.events[0]).toBe("stop weft-cilium.service");
  expect(machine.events).toHaveLength(4);
  await stopped();
  expect(machine.events).toHaveLength(4);
});

it("a write that fails is told and thrown", async () => {
  machine.failing.add(`write ${folder}/kvstore`);
  await expect(put()).rejects.toThrow(/kvstore failed/);
  expect(last()).toMatchObject({ result: "failed" });
});
