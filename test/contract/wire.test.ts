// What ts-proto writes is read back by proto-loader straight from the .proto files, field by field, and the other way
// round: neither a generator's option nor an edited number can change the wire unnoticed.
import { join } from "node:path";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { describe, expect, it } from "@jest/globals";
import * as agent from "../../packages/shared/src/gen/weft/v1/agent.ts";
import { AgentServiceService } from "../../packages/shared/src/gen/weft/v1/agent.ts";
import * as control from "../../packages/shared/src/gen/weft/v1/control.ts";
import { ControlServiceService } from "../../packages/shared/src/gen/weft/v1/control.ts";
import * as desired from "../../packages/shared/src/gen/weft/v1/desired.ts";
import * as enrol from "../../packages/shared/src/gen/weft/v1/enrol.ts";
import { EnrolmentServiceService } from "../../packages/shared/src/gen/weft/v1/enrol.ts";
import * as facts from "../../packages/shared/src/gen/weft/v1/facts.ts";
import * as guard from "../../packages/shared/src/gen/weft/v1/guard.ts";
import * as probe from "../../packages/shared/src/gen/weft/v1/probe.ts";
import * as replay from "../../packages/shared/src/gen/weft/v1/replay.ts";
import * as report from "../../packages/shared/src/gen/weft/v1/report.ts";
import * as rollout from "../../packages/shared/src/gen/weft/v1/rollout.ts";
import * as trust from "../../packages/shared/src/gen/weft/v1/trust.ts";

const root = join(import.meta.dirname, "../../proto");
const families = [
  "agent",
  "control",
  "desired",
  "enrol",
  "facts",
  "guard",
  "probe",
  "replay",
  "report",
  "rollout",
  "trust",
];
const definition: PackageDefinition = loadSync(
  families.map((name) => `weft/v1/${name}.proto`),
  { includeDirs: [root], keepCase: false, longs: String, enums: String, defaults: true, oneofs: true },
);

interface FieldShape {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
  readonly oneofIndex: number | undefined;
}

interface Loaded {
  readonly type: {
    readonly field: readonly FieldShape[];
    readonly oneofDecl: readonly { readonly name: string }[];
  };
  serialize(value: object): Buffer;
  deserialize(bytes: Buffer): Record<string, unknown>;
}

interface Generated {
  encode(value: never): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
}

const generated = new Map<string, Generated>(
  [agent, control, desired, enrol, facts, guard, probe, replay, report, rollout, trust].flatMap((module) =>
    Object.entries(module).flatMap(([name, value]) =>
      typeof value === "object" && value !== null && "encode" in value
        ? [[name, value as unknown as Generated] as const]
        : [],
    ),
  ),
);

function loaded(name: string): Loaded {
  return definition[name] as unknown as Loaded;
}

const messages = Object.keys(definition)
  .filter((name) => name.startsWith("weft.v1.") && "type" in (definition[name] ?? {}))
  .map((name) => name.slice("weft.v1.".length));

const camel = (name: string) => name.replace(/_([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase());

/** A value that differs from the default in every field, the same for both libraries but for their spelling. */
function sample(name: string, salt: number, spelling: "generated" | "loaded"): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  const { field, oneofDecl } = loaded(`weft.v1.${name}`).type;
  const chosen = new Set<number>();
  for (const [index, shape] of field.entries()) {
    const one = () => sampleOf(shape, salt + index + 1, spelling);
    const content = shape.label === "LABEL_REPEATED" ? [one(), one()] : one();
    const group = shape.oneofIndex;
    if (group === undefined || oneofDecl.length === 0) {
      value[camel(shape.name)] = content;
      continue;
    }
    if (chosen.has(group) || (salt + index) % 2 === 1) continue;
    chosen.add(group);
    if (spelling === "loaded") value[camel(shape.name)] = content;
    else value[camel(oneofDecl[group]!.name)] = { $case: camel(shape.name), value: content };
  }
  return value;
}

function sampleOf(shape: FieldShape, salt: number, spelling: "generated" | "loaded"): unknown {
  switch (shape.type) {
    case "TYPE_STRING":
      return `text ${salt}`;
    case "TYPE_BYTES":
      return Buffer.from(`bytes ${salt}`);
    case "TYPE_BOOL":
      return true;
    case "TYPE_UINT32":
      return 4_000_000_000 + salt;
    case "TYPE_SINT32":
      return -2_000_000_000 - salt;
    case "TYPE_UINT64":
      return spelling === "generated" ? 2n ** 60n + BigInt(salt) : String(2n ** 60n + BigInt(salt));
    case "TYPE_MESSAGE":
      if (shape.typeName.endsWith("Timestamp"))
        return spelling === "generated"
          ? new Date(1_800_000_000_123 + salt)
          : {
              seconds: String(Math.floor((1_800_000_000_123 + salt) / 1000)),
              nanos: ((123 + salt) % 1000) * 1e6,
            };
      return sample(shape.typeName.replace(/^.*[.]/, ""), salt, spelling);
    default:
      throw new Error(`no sample for ${shape.type}: add one`);
  }
}

describe("the wire", () => {
  it("has every message in both libraries", () => {
    expect(messages.length).toBeGreaterThan(60);
    expect([...generated.keys()]).toEqual(expect.arrayContaining(messages));
  });

  it.each(messages)("carries %s from one library to the other and back", (name) => {
    for (const salt of [0, 1]) {
      const ours = sample(name, salt, "generated");
      const theirs = sample(name, salt, "loaded");
      const bytes = Buffer.from(
        generated
          .get(name)!
          .encode(ours as never)
          .finish(),
      );
      expect(loaded(`weft.v1.${name}`).deserialize(bytes)).toMatchObject(theirs);
      expect(generated.get(name)!.decode(loaded(`weft.v1.${name}`).serialize(theirs))).toEqual(ours);
    }
  });

  it.each([
    ["AgentService", AgentServiceService],
    ["ControlService", ControlServiceService],
    ["EnrolmentService", EnrolmentServiceService],
  ])("has the calls of %s under the same paths and kinds", (name, service) => {
    const calls = definition[`weft.v1.${name}`] as Record<
      string,
      { path: string; requestStream: boolean; responseStream: boolean }
    >;
    const shape = ({ path, requestStream, responseStream }: (typeof calls)[string]) =>
      `${path} ${requestStream} ${responseStream}`;
    expect(Object.values(service).map(shape).sort()).toEqual(Object.values(calls).map(shape).sort());
  });
});
