// CiliumGround and CiliumVerdict <-> weft.v1. Lists are bounded: what is beyond is left out, and then not known.
import { WeftError } from "../errors/weft-error.ts";
import type * as wire from "../gen/weft/v1/facts.ts";
import { type CiliumGround, type CiliumVerdict, nothingKnown } from "../model/cilium.ts";
import { oneOf } from "./number.ts";

const mostOptions = 64;
const mostTools = 16;
const mostPorts = 16;
const mostReasons = 32;
export const mostVerdicts = 8;

export function encodeGround(ground: CiliumGround): wire.CiliumGround {
  return {
    ...ground,
    kernelOptions: ground.kernelOptions.map((option) => ({ ...option })),
    tools: ground.tools.map((tool) => ({ ...tool })),
    ports: ground.ports.map((port) => ({ ...port })),
  };
}

/** An agent from before this sends none: nothing is known then. */
export function decodeGround(message: wire.CiliumGround | undefined): CiliumGround {
  if (message === undefined) return nothingKnown;
  return {
    kernelConfig: message.kernelConfig,
    kernelOptions: message.kernelOptions.slice(0, mostOptions).map(({ name, value }) => ({
      name,
      value: oneOf(value, ["y", "m", "n"], `kernel option ${name}`),
    })),
    loadsModules: message.loadsModules,
    cgroup2At: message.cgroup2At,
    tools: message.tools
      .slice(0, mostTools)
      .map(({ name, path, version, form }) => ({ name, path, version, form })),
    ports: message.ports.slice(0, mostPorts).map(({ port, protocol, holder }) => ({
      port: portNumber(port),
      protocol: oneOf(protocol, ["tcp", "udp"], "protocol of a port"),
      holder,
    })),
  };
}

function portNumber(port: number): number {
  if (port < 1 || port > 65_535)
    throw new WeftError("WEFT-E003", `${port} is no port`, { hint: "allowed: 1 to 65535" });
  return port;
}

export function encodeVerdict(verdict: CiliumVerdict): wire.CiliumVerdict {
  return { ...verdict, because: verdict.because.map((reason) => ({ ...reason })) };
}

export function decodeVerdict(message: wire.CiliumVerdict): CiliumVerdict {
  const { version, can } = message;
  if (can !== (message.because.length === 0))
    throw new WeftError("WEFT-E003", `the verdict on Cilium ${version} contradicts itself`, {
      why: can ? "it is a yes with reasons against it" : "it is a no without a reason",
    });
  const because = message.because.slice(0, mostReasons);
  const blank = because.find(({ need, found, todo }) => need === "" || found === "" || todo === "");
  if (blank !== undefined)
    throw new WeftError("WEFT-E003", `the verdict on Cilium ${version} has a reason that says nothing`);
  return { version, can, because: because.map(({ need, found, todo }) => ({ need, found, todo })) };
}
