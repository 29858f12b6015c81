// In: the wish. Out: the text of /etc/weft/coordinator.json, which holds no secret; and the mesh such a text names.
import { WeftError } from "@weft/shared/errors/weft-error";
import { z } from "zod";
import type { InitWish } from "./init-wish.ts";
import { places } from "./places.ts";

export function renderCoordinatorConfig(wish: InitWish): string {
  const config = {
    mesh: wish.mesh,
    trustDomain: wish.trustDomain,
    address: wish.address,
    hub: wish.hub,
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

const named = z.looseObject({
  mesh: z.string(),
  trustDomain: z.string(),
  address: z.string(),
  hub: z.string(),
});
export type NamedMesh = z.infer<typeof named>;

export function readNamedMesh(text: string): NamedMesh {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new WeftError("WEFT-E003", `${places.coordinatorConfig} is not JSON`, { cause });
  }
  const parsed = named.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new WeftError("WEFT-E003", `${places.coordinatorConfig} names no mesh`, {
    hint: "move it away, if it is not Weft's",
  });
}
