// In: the text of the mesh file, or of a directory's files. Out: the Mesh and every problem of form. Pure; never
// throws. What the parts mean together is judged in validate.ts.
import type {
  Mesh,
  MeshNode,
  MeshPolicy,
  MeshService,
  Place,
  Problem,
  RolloutWish,
  Selector,
} from "@weft/shared/model/mesh";
import { icmpPort } from "@weft/shared/model/text-forms";
import type { z } from "zod";
import type { Cursor } from "./cursor.ts";
import { errorAt, hasErrors, sortProblems } from "./problem.ts";
import { baselineOf } from "./read-baseline.ts";
import { readCilium } from "./read-cilium.ts";
import { placesOf, readEntry } from "./read-entry.ts";
import type { MeshSource } from "./read-yaml.ts";
import { type RawRollout, rolloutSchema } from "./rollout-schema.ts";
import {
  baselineSchema,
  defaultsSchema,
  dnsSchema,
  fileSchema,
  guardSchema,
  nodeSchema,
  policySchema,
  type RawPolicy,
  type RawSelector,
  serviceSchema,
} from "./schema.ts";
import { readSections, type Sections } from "./sections.ts";

export type { MeshSource } from "./read-yaml.ts";

/** What could be understood, even if there are errors, so that the checks of the whole can run, too. */
export interface Draft {
  readonly mesh: Mesh;
  /** Names that exist but whose entries could not be understood: naming them is no further problem. */
  readonly broken: { readonly nodes: ReadonlySet<string>; readonly services: ReadonlySet<string> };
}

export function parseMesh(sources: readonly MeshSource[]): { mesh: Mesh | undefined; problems: Problem[] } {
  const { draft, problems } = draftMesh(sources);
  return { mesh: hasErrors(problems) ? undefined : draft?.mesh, problems };
}

export function draftMesh(sources: readonly MeshSource[]): { draft: Draft | undefined; problems: Problem[] } {
  const { sections, problems } = readSections(sources);
  if (sections === undefined) return { draft: undefined, problems: sortProblems(problems) };
  const draft = readDraft(sections, problems);
  return { draft, problems: sortProblems(problems) };
}

function readDraft(sections: Sections, problems: Problem[]): Draft {
  const single = <S extends z.ZodType>(key: string, schema: S): z.output<S> | undefined => {
    const cursor = sections.single.get(key);
    if (cursor === undefined || cursor.value === null) return undefined;
    const read = readEntry(schema, key, cursor);
    problems.push(...read.problems);
    return read.value;
  };
  const required = (key: "mesh" | "trustDomain"): string => {
    const cursor = sections.single.get(key);
    if (cursor !== undefined && cursor.value !== null) return single(key, fileSchema.shape[key]) ?? "";
    problems.push(errorAt(cursor?.keyPlace ?? sections.start, `"${key}" is missing`));
    return "";
  };
  const name = required("mesh");
  const trustDomain = required("trustDomain");
  const dns = single("dns", dnsSchema);
  const guard = single("guard", guardSchema);
  const defaults = single("defaults", defaultsSchema);
  const rollout = single("rollout", rolloutSchema);
  const baseline = single("baseline", baselineSchema);
  const cilium = readCilium(sections.single.get("cilium"), problems);
  const baselineCursor = sections.single.get("baseline");

  const brokenNodes = new Set<string>();
  const nodes = [...sections.nodes].flatMap(([node, entry]) => readNode(node, entry, problems, brokenNodes));
  const brokenServices = new Set<string>();
  const services = [...sections.services].flatMap(([service, entry]) =>
    readService(service, entry, trustDomain, problems, brokenServices),
  );
  const policies = sections.policies.flatMap((entry) => readPolicy(entry, problems));
  const places: Record<string, Place> = { "": sections.start };
  for (const [key, cursor] of sections.single) {
    places[key] = cursor.place;
    for (const [path, place] of Object.entries(placesOf(cursor))) places[`${key}/${path}`] = place;
  }
  const mesh: Mesh = {
    name,
    trustDomain,
    dns: { zone: dns?.zone ?? "mesh.internal", mode: dns?.mode ?? "auto", upstreams: dns?.upstreams ?? [] },
    guard: {
      admin: guard?.admin ?? [],
      ports: guard?.ports ?? (guard?.admin === undefined ? [] : [{ protocol: "tcp", from: 22, to: 22 }]),
    },
    nodes,
    services,
    policies,
    ...(baseline === undefined || baselineCursor === undefined
      ? {}
      : { baseline: baselineOf(baseline, baselineCursor) }),
    defaults: {
      ingress: defaults?.ingress ?? "deny",
      egress: defaults?.egress ?? "allow",
      mode: defaults?.mode ?? "enforce",
      boot: defaults?.boot ?? "guards-only",
    },
    rollout: rollout === undefined ? undefined : rolloutOf(rollout),
    cilium,
    places,
  };
  return { mesh, broken: { nodes: brokenNodes, services: brokenServices } };
}

function rolloutOf({ canary, wave, stopOn, deadline }: RawRollout): RolloutWish {
  return {
    canary: canary ?? 1,
    wave: typeof wave === "number" ? { unit: "nodes", size: wave } : (wave ?? { unit: "percent", size: 25 }),
    stopOn: stopOn ?? ["reverted", "failed"],
    deadlineSeconds: deadline ?? 120,
  };
}

function readNode(name: string, entry: Cursor, problems: Problem[], broken: Set<string>): MeshNode[] {
  const read = readEntry(nodeSchema, "nodes", entry);
  problems.push(...read.problems);
  if (read.value === undefined) {
    broken.add(name);
    return [];
  }
  const { address, labels, enforcement, range, dns } = read.value;
  return [
    {
      name,
      address,
      labels: labels ?? {},
      enforcement: enforcement ?? "auto",
      range,
      dnsMode: dns?.mode,
      place: entry.keyPlace,
      places: placesOf(entry),
    },
  ];
}

function readService(
  name: string,
  entry: Cursor,
  trustDomain: string,
  problems: Problem[],
  broken: Set<string>,
): MeshService[] {
  const read = readEntry(serviceSchema, "services", entry);
  problems.push(...read.problems);
  if (read.value === undefined) {
    broken.add(name);
    return [];
  }
  const { nodes, user, unit, ports, mtls, path, labels } = read.value;
  return [
    {
      name,
      nodes,
      user,
      unit,
      spiffeId: `spiffe://${trustDomain}${path ?? `/${name}`}`,
      ports: Object.entries(ports ?? {}).map(([port, range]) => ({ name: port, range })),
      mtls: mtls ?? "app",
      labels: labels ?? {},
      place: entry.keyPlace,
      places: placesOf(entry),
    },
  ];
}

function readPolicy(entry: Cursor, problems: Problem[]): MeshPolicy[] {
  const read = readEntry(policySchema, "policies", entry);
  problems.push(...read.problems);
  const raw: RawPolicy | undefined = read.value;
  if (raw === undefined) return [];
  const to = Array.isArray(raw.to) ? raw.to : [raw.to];
  return [
    {
      name: raw.name,
      from: raw.from.map((item, index) => selectorOf(item, entry.at(["from", index]))),
      to: to.map((item, index) =>
        selectorOf(item, Array.isArray(raw.to) ? entry.at(["to", index]) : entry.at(["to"])),
      ),
      ports: raw.ports?.flatMap((port) => (port === undefined || port === icmpPort ? [] : [port])),
      ...(raw.ports?.includes(icmpPort) === true ? { icmp: true } : {}),
      action: raw.action ?? "allow",
      mode: raw.mode,
      place: entry.place,
      places: placesOf(entry),
    },
  ];
}

function selectorOf(raw: RawSelector, { place }: Cursor): Selector {
  if (raw.service !== undefined) return { kind: "service", name: raw.service, place };
  if (raw.node !== undefined) return { kind: "node", name: raw.node, place };
  if ("cidr" in raw && raw.cidr !== undefined) return { kind: "cidr", cidr: raw.cidr, place };
  return { kind: "labels", labels: ("labels" in raw ? raw.labels : undefined) ?? {}, place };
}
