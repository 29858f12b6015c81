import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  isOurResolvConf,
  parseResolvConf,
  renderResolvConf,
  resolvConfMarker,
  withoutOurLines,
} from "./resolv-conf.ts";

const render = (text: string) => renderResolvConf(parseResolvConf(text)).split("\n").slice(1);

describe("parseResolvConf", () => {
  it("reads what glibc reads", () => {
    const text = [
      "# a comment",
      "domain old.example",
      " nameserver 192.0.2.1",
      "nameserver 192.0.2.2 # first",
      "nameserver\tfd77::53",
      "nameserver fe80::1%eth0",
      "nameserver dns.example",
      "search a.example b.example",
      "options ndots:2 rotate",
      "options timeout:1",
      "sortlist 192.0.2.0/24",
      "nameserver",
    ].join("\n");
    expect(parseResolvConf(text)).toEqual({
      nameservers: ["192.0.2.2", "fd77::53", "fe80::1%eth0"],
      search: "search a.example b.example",
      options: ["ndots:2", "rotate", "timeout:1"],
      sortlist: "sortlist 192.0.2.0/24",
    });
  });
});

describe("renderResolvConf", () => {
  it("puts ours first and no more than two old ones behind it", () => {
    const text = "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n";
    expect(render(text)).toEqual([
      "nameserver 127.0.0.153",
      "nameserver 192.0.2.1",
      "nameserver 192.0.2.2",
      "",
    ]);
  });

  it("never takes its own address for an old server", () => {
    expect(render("nameserver 127.0.0.153\nnameserver 192.0.2.1\n")).toEqual([
      "nameserver 127.0.0.153",
      "nameserver 192.0.2.1",
      "",
    ]);
  });

  it("keeps search and options, and drops rotate with its reason", () => {
    const lines = render("search a.example\noptions rotate ndots:2\n");
    expect(lines[0]).toMatch(/^# weft: `options rotate` left out: /);
    expect(lines.slice(1)).toEqual(["nameserver 127.0.0.153", "search a.example", "options ndots:2", ""]);
  });

  it("says at most three servers, ours first, whatever the old file was", () => {
    fc.assert(
      fc.property(arbitraryResolvConf, (old) => {
        const text = renderResolvConf(parseResolvConf(old));
        const { nameservers, options } = parseResolvConf(text);
        expect(isOurResolvConf(text)).toBe(true);
        expect(nameservers[0]).toBe("127.0.0.153");
        expect(nameservers.length).toBeLessThanOrEqual(3);
        expect(options).not.toContain("rotate");
        expect(text).toMatch(/^[\x20-\x7e\n\t]*$/);
      }),
    );
  });

  it("says the same again when it reads its own text", () => {
    fc.assert(
      fc.property(arbitraryResolvConf, (old) => {
        const { nameservers, search, sortlist } = parseResolvConf(renderResolvConf(parseResolvConf(old)));
        const again = parseResolvConf(
          renderResolvConf(parseResolvConf(renderResolvConf(parseResolvConf(old)))),
        );
        expect(again).toMatchObject({ nameservers, search, sortlist });
      }),
    );
  });
});

describe("what is ours", () => {
  it("is judged by the first line alone", () => {
    expect(isOurResolvConf(`${resolvConfMarker}\nnameserver 127.0.0.153\n`)).toBe(true);
    expect(isOurResolvConf(`\n${resolvConfMarker}\n`)).toBe(false);
    expect(isOurResolvConf(`${resolvConfMarker}x\n`)).toBe(false);
    expect(isOurResolvConf("")).toBe(false);
  });

  it("is all that withoutOurLines takes out", () => {
    const text = `${resolvConfMarker}\n# weft: a reason\nnameserver 127.0.0.153\n# mine\nnameserver 192.0.2.1\n`;
    expect(withoutOurLines(text)).toBe("# mine\nnameserver 192.0.2.1\n");
  });
});

const arbitraryResolvConf = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "nameserver 192.0.2.1",
        "nameserver 127.0.0.153",
        "nameserver fd77::53",
        "options rotate",
        "options ndots:3 rotate",
        "search a.example",
        "domain b.example",
        resolvConfMarker,
      ),
      fc.string({ unit: "binary" }).map((text) => Buffer.from(text).toString("latin1")),
    ),
  )
  .map((lines) => lines.join("\n"));
