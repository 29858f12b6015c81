import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { EndpointMachine } from "../../../../test/support/cilium/endpoint-machine.ts";
import { endpointOf } from "../../../../test/support/cilium/endpoint-samples.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { PublishedPorts } from "./published-ports.ts";
import { StepBook } from "./step-book.ts";

const address = "10.77.0.12";
const [api, web] = [endpointOf("api", 80), endpointOf("web", 82)];

let host: FakeHost;
let machine: EndpointMachine;
let book: StepBook;
let ports: PublishedPorts;

beforeEach(() => {
  host = new FakeHost();
  machine = new EndpointMachine(host);
  book = new StepBook(host.clock);
  ports = new PublishedPorts(host);
});
afterEach(() => host.dispose());

const loads = () => machine.seen(/^nft -f -$/).length;

it("are loaded once, and not again while they are there", async () => {
  await ports.publish(book, address, [api, web]);
  await ports.publish(book, address, [api, web]);
  expect(loads()).toBe(1);
  expect(machine.table?.match(/dport .* dnat to \S+/g)).toEqual([
    "dport { 8080 } dnat to 10.42.1.80",
    "dport { 8082 } dnat to 10.42.1.82",
  ]);
  expect(book.steps).toMatchObject([{ step: "publishPorts", subject: "ip weft_endpoints", result: "done" }]);
});

it("are loaded again when they are others", async () => {
  await ports.publish(book, address, [api, web]);
  await ports.publish(book, address, [api]);
  expect(machine.table).not.toContain("10.42.1.82");
});

it.each<[string, (table: string) => string | undefined]>([
  ["the whole table", () => undefined],
  ["all rules of it", (table) => table.replace(/^ *ip daddr .*\n/gm, "")],
  ["one rule of it", (table) => table.replace(/^ *ip daddr .* comment "web"\n/m, "")],
])("are loaded again when somebody took away %s", async (_, spoil) => {
  await ports.publish(book, address, [api, web]);
  const before = machine.table ?? "";
  machine.table = spoil(before);
  expect(machine.table).not.toBe(before);
  await ports.publish(book, address, [api, web]);
  expect(machine.table).toBe(before);
});

it("are tried again after the kernel refused them", async () => {
  machine.failing.add("nft -f -");
  await expect(ports.publish(book, address, [api])).rejects.toThrow("nft -f - failed");
  machine.failing.clear();
  await ports.publish(book, address, [api]);
  expect(machine.table).toContain("10.42.1.80");
});

it("are loaded by an agent that has just started, since it does not know what is there", async () => {
  await ports.publish(book, address, [api]);
  await new PublishedPorts(host).publish(book, address, [web]);
  expect(machine.table).not.toContain("10.42.1.80");
});
