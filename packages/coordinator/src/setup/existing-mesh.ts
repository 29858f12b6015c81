// In: what an earlier `weft init` left on this machine. Out: it belongs to the mesh that is wanted now, or WEFT-E101:
// one machine never holds two meshes, and the first is never overwritten.
import { WeftError } from "@weft/shared/errors/weft-error";
import { z } from "zod";
import { readSealedHeader } from "../trust/mesh-root.ts";
import { readNamedMesh } from "./coordinator-config.ts";
import type { InitWish } from "./init-wish.ts";
import type { Machine } from "./machine.ts";
import { places } from "./places.ts";

function refuse(what: string, there: string, wanted: string, file: string): WeftError {
  return new WeftError("WEFT-E101", `this machine already holds a mesh with another ${what}`, {
    why: `${file} says ${there}, and ${wanted} was asked for.`,
    hint: "run `weft init` with the same values to go on with that mesh, or take another machine",
  });
}

const words = { mesh: "name", trustDomain: "trust domain", address: "address", hub: "hub" } as const;

const spireConfig = z.looseObject({ server: z.looseObject({ trust_domain: z.string() }) });

function trustDomainIn(text: string): string {
  try {
    return spireConfig.parse(JSON.parse(text)).server.trust_domain;
  } catch (cause) {
    throw new WeftError("WEFT-E003", `${places.spireConfig} is not the configuration of a SPIRE server`, {
      hint: "move it away, if it is not Weft's",
      cause,
    });
  }
}

export async function checkExistingMesh(machine: Machine, wish: InitWish): Promise<void> {
  const config = await machine.readText(places.coordinatorConfig);
  if (config !== undefined) {
    const there = readNamedMesh(config);
    for (const key of ["mesh", "trustDomain", "address", "hub"] as const)
      if (there[key] !== wish[key]) throw refuse(words[key], there[key], wish[key], places.coordinatorConfig);
  }
  const sealed = await machine.readText(places.sealedRoot);
  if (sealed !== undefined) {
    const { mesh } = readSealedHeader(sealed);
    if (mesh !== wish.mesh) throw refuse("name", mesh, wish.mesh, places.sealedRoot);
  }
  const spire = await machine.readText(places.spireConfig);
  if (spire !== undefined) {
    const trustDomain = trustDomainIn(spire);
    if (trustDomain !== wish.trustDomain)
      throw refuse("trust domain", trustDomain, wish.trustDomain, places.spireConfig);
  }
}
