import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { ciliumPlaces, dropInFile } from "@weft/shared/render/cilium-places";
import { EndpointMachine } from "../../../../test/support/cilium/endpoint-machine.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { movedUnits } from "./moved-units.ts";
import { StepBook } from "./step-book.ts";
import { moveUnit, returnUnit } from "./unit-move.ts";

const unit = "api.service";
const inside = "/run/netns/weft-api";
const place = {
  unit,
  user: "api",
  path: dropInFile(unit),
  text: `[Service]\nNetworkNamespacePath=${inside}\n`,
  namespace: inside,
};

/** It was started with the drop-in. */
const mark = `write ${ciliumPlaces.moved}/${unit}`;

let host: FakeHost;
let machine: EndpointMachine;
let book: StepBook;

beforeEach(() => {
  host = new FakeHost();
  machine = new EndpointMachine(host);
  book = new StepBook(host.clock);
});
afterEach(() => host.dispose());

const steps = () => book.steps.map(({ step, result }) => `${step} ${result}`);

describe("a unit that is not the service's own is not moved, and nothing is changed", () => {
  it.each<[string, string, RegExp]>([
    ["one of root, by name", "root", /runs as root, not as api/],
    ["one without a user, which is root", "", /runs as root, not as api/],
    ["one of another user", "web", /runs as web, not as api/],
  ])("%s", async (_, user, message) => {
    machine.addUnit(unit, user);
    await expect(moveUnit(host, book, place)).rejects.toMatchObject({
      code: "WEFT-E402",
      message: expect.stringMatching(message),
      hint: expect.stringContaining("User=api"),
    });
    expect(machine.events).toEqual([]);
    expect(steps()).toEqual([]);
  });

  it("one of root, also when the mesh file says that the service is root", async () => {
    machine.addUnit(unit, "root");
    await expect(moveUnit(host, book, { ...place, user: "root" })).rejects.toThrow(/runs as root/);
    expect(machine.events).toEqual([]);
  });

  it("one that does not exist", async () => {
    await expect(moveUnit(host, book, place)).rejects.toMatchObject({
      message: `there is no unit ${unit} to move into a namespace`,
      hint: expect.stringContaining("unit:"),
    });
    expect(machine.events).toEqual([]);
  });
});

describe("a service's own unit", () => {
  it("is restarted once, inside, and not touched at the next look", async () => {
    machine.addUnit(unit, "api");
    await moveUnit(host, book, place);
    expect(machine.events).toEqual([`write ${place.path}`, "reload", `restart ${unit}`, mark]);
    expect(machine.networks.get(unit)).toBe(inside);
    expect((await host.files.info(place.path))?.mode).toBe(0o644);
    await moveUnit(host, book, place);
    expect(machine.events).toHaveLength(4);
    expect(steps()).toEqual(["moveUnit done"]);
  });

  it("is moved anew when its drop-in is to be another", async () => {
    machine.addUnit(unit, "api");
    await moveUnit(host, book, place);
    await moveUnit(host, book, { ...place, text: `${place.text}# more\n` });
    expect(machine.seen(/^restart .*/)).toHaveLength(2);
  });

  it.each(["inactive", "failed", "deactivating"])("that is %s is not started", async (active) => {
    machine.addUnit(unit, "api", active);
    await moveUnit(host, book, place);
    expect(machine.events).toEqual([`write ${place.path}`, "reload", mark]);
    expect((await host.units.state(unit)).active).toBe(active);
  });

  it.each(["activating", "reloading"])("that is %s is restarted", async (active) => {
    machine.addUnit(unit, "api", active);
    await moveUnit(host, book, place);
    expect(machine.networks.get(unit)).toBe(inside);
  });

  it("whose drop-in is there and was not read by systemd: read, and restarted", async () => {
    machine.addUnit(unit, "api");
    machine.failing.add("reload");
    await expect(moveUnit(host, book, place)).rejects.toThrow("reload failed");
    expect(steps()).toEqual(["moveUnit failed"]);
    machine.failing.clear();
    machine.events.length = 0;
    await moveUnit(host, book, place);
    expect(machine.events).toEqual(["reload", `restart ${unit}`, mark]);
    expect(machine.networks.get(unit)).toBe(inside);
  });
});

describe("back on the machine's own network", () => {
  beforeEach(async () => {
    machine.addUnit(unit, "api");
    await moveUnit(host, book, place);
    machine.events.length = 0;
  });

  it("a unit that runs is restarted there, and is no moved one any more", async () => {
    expect(await movedUnits(host)).toEqual([unit]);
    await returnUnit(host, book, unit);
    expect(machine.networks.get(unit)).toBe("machine");
    expect(machine.seen(/^restart .*/)).toEqual([`restart ${unit}`]);
    expect(await movedUnits(host)).toEqual([]);
    expect(steps()).toEqual(["moveUnit done", "returnUnit done"]);
  });

  it("one that is stopped stays so", async () => {
    host.units.states.set(unit, { active: "inactive", enabled: true, exists: true });
    await returnUnit(host, book, unit);
    expect(machine.seen(/^restart .*/)).toEqual([]);
    expect(await host.files.info(place.path)).toBeUndefined();
  });

  it("one that somebody has uninstalled loses its drop-in", async () => {
    host.units.states.set(unit, { active: "active", enabled: false, exists: false });
    await returnUnit(host, book, unit);
    expect(machine.seen(/^restart .*/)).toEqual([]);
    expect(await movedUnits(host)).toEqual([]);
  });

  it("is tried again at the next look when systemd does not read that", async () => {
    machine.failing.add("reload");
    await expect(returnUnit(host, book, unit)).rejects.toThrow("reload failed");
    expect(machine.seen(/^restart .*/)).toEqual([]);
    machine.failing.clear();
    expect(await movedUnits(host)).toEqual([unit]);
    await returnUnit(host, book, unit);
    expect(machine.networks.get(unit)).toBe("machine");
    expect(await movedUnits(host)).toEqual([]);
  });

  it("one that does not start there is told, and not restarted for ever", async () => {
    machine.failing.add(`restart ${unit}`);
    await expect(returnUnit(host, book, unit)).rejects.toThrow(`restart ${unit} failed`);
    expect(await movedUnits(host)).toEqual([]);
  });
});

it("drop-ins of others, and folders of what is no service, are no moved units", async () => {
  await host.files.write("/etc/systemd/system/web.service.d/10-own.conf", "");
  await host.files.write("/etc/systemd/system/api.socket.d/50-weft-endpoint.conf", "");
  await host.files.write("/etc/systemd/system/api.service", "");
  expect(await movedUnits(host)).toEqual([]);
});
