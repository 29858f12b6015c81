// Random small meshes, compiled, rendered, loaded and listed back: what the loaded rules mean must be what an oracle
// says that was written from the meaning of the mesh file and knows neither compiler nor rules. A rule that is dropped
// must show, or the test would be blind there. 150 meshes; WEFT_LONG=1: 10,000.
// Real connections of such meshes: model-traffic.test.ts.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { ContentJudge } from "../../packages/coordinator/src/replay/content-judge.ts";
import type { NftTable } from "../../packages/shared/src/kernel-verdict/ruleset.ts";
import { installHostPrograms } from "../../scripts/lab-src/host-programs.ts";
import { arbitraryMesh, meshNodes, meshUsers, randomAsked } from "../support/arbitrary-mesh.ts";
import { labProgress } from "../support/lab.ts";
import { judgeLoaded, type Loaded, RuleBench, type Spoke } from "../support/loaded-mesh.ts";
import { type Asked, Oracle } from "../support/oracle.ts";
import { compileText, hubPorts } from "../support/policy-net.ts";
import { randomOf } from "../support/random-mesh.ts";
import "../support/property-seed.ts";

const long = process.env["WEFT_LONG"] === "1";
const meshes = long ? 10_000 : 150;
const questionsPerMesh = 60;
const fewestToMutate = 40;
/** With WEFT_LONG until every rule that spoke has been seen to matter: about 370 meshes. */
const meshesToMutate = long ? 1_000 : 40;

const uids = new Map<string, number>(Object.entries(meshUsers));
const bench: { current: RuleBench | undefined } = { current: undefined };

beforeAll(async () => {
  await installHostPrograms(["ip", "nft"], labProgress);
  bench.current = new RuleBench();
}, 120_000);
afterAll(() => bench.current?.down());

interface Question {
  readonly asked: Asked;
  /** A node that passes it on, for somebody who is no node. */
  readonly via: string | undefined;
}

interface Case {
  readonly loaded: Loaded;
  readonly judges: ReadonlyMap<string, ContentJudge>;
  readonly oracle: Oracle;
  readonly questions: readonly Question[];
}

function caseOf(text: string, salt: number): Case {
  const { mesh, contents } = compileText(text);
  const random = randomOf(salt);
  const questions = Array.from({ length: questionsPerMesh }, (): Question => {
    const asked = randomAsked(random, mesh);
    const others = meshNodes.filter((node) => node !== asked.toNode);
    return { asked, via: asked.fromNode === undefined ? random.pick(others) : undefined };
  });
  if (bench.current === undefined) throw new Error("no bench");
  const judges = new Map([...contents].map(([node, content]) => [node, new ContentJudge(content)]));
  return {
    loaded: bench.current.load(contents, uids),
    judges,
    oracle: new Oracle(mesh, hubPorts),
    questions,
  };
}

function expected(oracle: Oracle, { asked, via }: Question) {
  return {
    connect: oracle.mayConnect(asked),
    arrive: oracle.mayArrive(asked),
    forward: via === undefined || oracle.mayBeForwarded(asked),
    published: asked.toNode === undefined || asked.protocol === "icmp" || oracle.mayReachPublished(asked),
  };
}

function differences(loaded: Loaded, oracle: Oracle, questions: readonly Question[]): string[] {
  return questions.flatMap((question) => {
    const { spoke: _, ...said } = judgeLoaded(loaded, question.asked, uids, question.via);
    const should = expected(oracle, question);
    const same =
      said.connect === should.connect &&
      said.arrive === should.arrive &&
      said.forward === should.forward &&
      said.published === should.published;
    return same ? [] : [JSON.stringify({ question, said, should })];
  });
}

/** By what `plan` replays flows with. */
function replayed(judges: Case["judges"], { asked, via }: Question) {
  const { fromNode, toNode, user, source, destination } = asked;
  const sent =
    fromNode === undefined || judges.get(fromNode)?.sends(user, destination, asked).passes !== false;
  const arrive = toNode === undefined || judges.get(toNode)?.receives(source, asked).passes !== false;
  const passedOn =
    via === undefined || judges.get(via)?.forwards(source, destination, asked).passes !== false;
  const published =
    toNode === undefined ||
    asked.protocol === "icmp" ||
    judges.get(toNode)?.publishes(source, asked).passes !== false;
  return { connect: sent && arrive, arrive, forward: passedOn, published };
}

describe("compiled and loaded rules", () => {
  it(`mean what the mesh file means, in ${meshes} meshes`, () => {
    const told = { asked: 0, connect: 0, arrive: 0, forward: 0, ping: 0, undeclared: 0, published: 0 };
    fc.assert(
      fc.property(arbitraryMesh, fc.nat(), (text, salt) => {
        const { loaded, judges, oracle, questions } = caseOf(text, salt);
        expect(differences(loaded, oracle, questions)).toEqual([]);
        for (const question of questions) {
          expect({ question, ...replayed(judges, question) }).toEqual({
            question,
            ...expected(oracle, question),
          });
          const { connect, arrive, forward, published } = expected(oracle, question);
          const { protocol, port } = question.asked;
          if (protocol === "icmp" && !arrive) told.ping++;
          if (port === 9999 && !arrive) told.undeclared++;
          if (!published) told.published++;
          told.asked++;
          if (connect) told.connect++;
          if (arrive && !connect) told.arrive++;
          if (!forward) told.forward++;
        }
      }),
      { numRuns: meshes },
    );
    process.stderr.write(`${JSON.stringify(told)}\n`);
    // a test in which everything passes, or nothing does, shows nothing
    expect(told.connect).toBeGreaterThan(told.asked / 20);
    expect(told.connect).toBeLessThan((told.asked * 19) / 20);
    expect(told.arrive).toBeGreaterThan(0);
    for (const refused of [told.forward, told.ping, told.undeclared, told.published])
      expect(refused).toBeGreaterThan(0);
  }, 7_200_000);
});

const tableOf = (loaded: Loaded, node: string): NftTable => {
  const [table] = loaded.get(node) ?? [];
  if (table === undefined) throw new Error(`no table at ${node}`);
  return table;
};

/** Where it stands in its chain: handles grow with every load. */
function placeOf(loaded: Loaded, { node, chain, handle }: Spoke): string {
  const rules = tableOf(loaded, node).chains.get(chain)?.rules ?? [];
  const place = rules.findIndex((rule) => rule.handle === handle);
  return `${chain} ${String(place).padStart(2, "0")} ${JSON.stringify(rules[place]?.statements)}`;
}

function without(loaded: Loaded, { node, chain, handle }: Spoke): Loaded {
  const table = tableOf(loaded, node);
  const found = table.chains.get(chain);
  if (found === undefined) throw new Error(`no chain ${chain}`);
  const rules = found.rules.filter((rule) => rule.handle !== handle);
  const chains = new Map(table.chains).set(chain, { ...found, rules });
  return new Map(loaded).set(node, [{ ...table, chains }]);
}

/** Rules whose loss changes how a verdict comes about, and not what it is: why each cannot show. */
const equals: readonly (readonly [rule: RegExp, why: string])[] = [
  [/^a_output \d+ .*"right":\["new","untracked"\]/, "the rule after it judges what is older alike"],
  [/^a_refuse_\w+ \d+ .*"tcp reset"/, "the rule after it rejects, too, by ICMP"],
  [/^a_audit_\w+ \d+ \[\{"accept":null\}\]/, "the hook accepts what no rule refuses"],
  [/^a_decide_out \d+ .*@a_out_node_deny/, "the receiver refuses the node's address, too"],
  [
    /^a_(input|guard_enrolment) \d+ .*(@a_enrolment_ports|@a_nodes[46]"\}\},\{"accept")/,
    "a rate, for nodes none",
  ],
];

describe("a rule that is dropped", () => {
  it("shows", () => {
    const shown = new Map<string, boolean>();
    const isBlind = (place: string) =>
      shown.get(place) !== true && !equals.some(([rule]) => rule.test(place));
    let used = 0;
    for (const [salt, text] of fc.sample(arbitraryMesh, meshesToMutate).entries()) {
      const { loaded, oracle, questions } = caseOf(text, salt);
      const touched = new Map<string, { readonly spoke: Spoke; readonly by: Question[] }>();
      for (const question of questions)
        for (const spoke of judgeLoaded(loaded, question.asked, uids, question.via).spoke) {
          const key = JSON.stringify(spoke);
          const entry = touched.get(key) ?? { spoke, by: [] };
          entry.by.push(question);
          touched.set(key, entry);
        }
      for (const { spoke, by } of touched.values()) {
        const place = placeOf(loaded, spoke);
        if (shown.get(place) === true) continue;
        shown.set(place, differences(without(loaded, spoke), oracle, by).length > 0);
      }
      used++;
      if (used >= fewestToMutate && ![...shown.keys()].some(isBlind)) break;
    }
    const places = [...shown.keys()];
    const seen = places.filter((place) => shown.get(place) === true).length;
    process.stderr.write(`${places.length} rules dropped, one by one, in ${used} meshes: ${seen} showed\n`);
    const hidden = places.filter(isBlind).map((place) => place.slice(0, 160));
    if (hidden.length > 0) process.stderr.write(`not yet seen to matter:\n${hidden.join("\n")}\n`);
    expect(seen).toBeGreaterThan(50);
    if (long) expect(places.filter(isBlind)).toEqual([]);
  }, 1_200_000);
});
