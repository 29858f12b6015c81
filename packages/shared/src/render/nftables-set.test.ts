import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { cidrContains, parseCidr } from "../model/address.ts";
import { blockOf, commentOf, elementsOf, type Item, originComment } from "./nftables-set.ts";

function item(from: number, to: number, block: string, comment: string, group = ""): Item {
  return {
    group,
    ports: { from, to },
    block: blockOf(block),
    comment,
    write: (ports, text) => `${ports} . ${text}`,
  };
}

describe("elements of a set", () => {
  it("are cut where another begins, and joined where they touch and say the same", () => {
    expect(
      elementsOf([
        item(80, 90, "10.0.0.0/8", "a"),
        item(85, 95, "10.0.0.0/8", "b"),
        item(91, 99, "10.1.0.0/16", "c"),
        item(100, 110, "10.1.0.0/16", "c"),
        item(80, 80, "10.9.9.9", "d"),
      ]),
    ).toEqual([
      '80-90 . 10.0.0.0/8 comment "a"',
      '91-95 . 10.0.0.0/8 comment "b"',
      '96-110 . 10.1.0.0/16 comment "c"',
    ]);
  });

  const network = fc
    .record({ value: fc.bigInt(0n, 255n), bits: fc.integer({ min: 24, max: 32 }) })
    .map(({ value, bits }) => {
      const shift = BigInt(32 - bits);
      return `10.0.0.${(value >> shift) << shift}/${bits}`;
    });
  const items = fc.array(
    fc.record({
      from: fc.integer({ min: 1, max: 12 }),
      length: fc.nat(5),
      block: network,
      comment: fc.constantFrom("a", "b"),
    }),
    { maxLength: 12 },
  );

  it("never overlap, and hold exactly what the items hold", () => {
    fc.assert(
      fc.property(items, (list) => {
        const given = list.map(({ from, length, block, comment }) =>
          item(from, from + length, block, comment),
        );
        const elements = elementsOf(given).map((text) => {
          const [, from, to, block] = /^(\d+)(?:-(\d+))? \. (\S+) comment/.exec(text) ?? [];
          return { from: Number(from), to: Number(to ?? from), block: parseCidr(block ?? "")! };
        });
        for (const port of [1, 2, 3, 5, 8, 12, 17])
          for (const host of [0, 1, 7, 64, 127, 128, 200, 255]) {
            const address = parseCidr(`10.0.0.${host}`)!;
            const holds = (entry: { from: number; to: number; block: ReturnType<typeof blockOf> }) =>
              entry.from <= port && port <= entry.to && cidrContains(entry.block, address);
            const wanted = list.some(({ from, length, block }) =>
              holds({ from, to: from + length, block: blockOf(block) }),
            );
            expect(elements.filter(holds)).toHaveLength(wanted ? 1 : 0);
          }
      }),
    );
  });

  it("come out the same for any order of the items", () => {
    fc.assert(
      fc.property(items, (list) => {
        const given = list.map(({ from, length, block, comment }) =>
          item(from, from + length, block, comment),
        );
        expect(elementsOf([...given].reverse())).toEqual(elementsOf(given));
      }),
    );
  });
});

describe("comments", () => {
  it("cannot leave their quotes, whatever somebody wrote", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.string({ unit: "binary" }),
        fc.nat(),
        (policy, file, line) => {
          const comment = originComment({ policy, file, line });
          expect(comment).toMatch(/^[A-Za-z0-9 ._:/,=@+-]+$/);
          expect(comment.length).toBeLessThanOrEqual(120);
        },
      ),
    );
    expect(commentOf('x" : accept }\nflush ruleset')).toBe("x_ : accept __flush ruleset");
  });

  it("keep the line of a long file name", () => {
    const comment = originComment({
      policy: "p".repeat(63),
      file: `${"d/".repeat(80)}mesh.yaml`,
      line: 1234,
    });
    expect(comment).toMatch(/^p{63} \.\..*mesh\.yaml:1234$/);
  });
});
