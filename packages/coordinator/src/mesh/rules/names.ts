// In: a mesh. Out: problems with names: labels, lengths, reserved and shared ones. Pure.

import { baselineName } from "@weft/shared/model/desired";
import { icmpPort, portNameForm } from "@weft/shared/model/text-forms";
import { parseSpiffeId } from "@weft/shared/spiffe/spiffe-id";
import { reservedBecause } from "../../spire/reserved-id.ts";
import { describeWhy } from "../describe-why.ts";
import { ownEtcd, ownEtcdPolicies } from "../own-etcd.ts";
import { errorAt, fieldPlace } from "../problem.ts";
import { ciliumNodes } from "../selection.ts";
import type { Rule } from "./rule.ts";

const takenServices: Readonly<Record<string, string>> = {
  node: "NODE.node.ZONE is where nodes have their names",
  [ownEtcd]: "an etcd that Weft runs has it",
};

export const serviceNamesAreFree: Rule = (mesh) =>
  mesh.services.flatMap((service) => {
    const why = Object.hasOwn(takenServices, service.name) ? takenServices[service.name] : undefined;
    return why === undefined ? [] : [errorAt(service.place, `"${service.name}" is no service name: ${why}`)];
  });

export const portNamesAreNames: Rule = (mesh) =>
  mesh.services.flatMap((service) =>
    service.ports
      .filter(({ name }) => portNameForm.parse(name) === undefined)
      .map(({ name }) =>
        errorAt(
          fieldPlace(service, `ports/${name}`),
          `${JSON.stringify(name.slice(0, 80))} is no port name`,
          {
            allowed: portNameForm.allowed,
            near: portNameForm.near?.(name),
          },
        ),
      ),
  );

export const portNamesAreNotIcmp: Rule = (mesh) =>
  mesh.services.flatMap((service) =>
    service.ports
      .filter(({ name }) => name === icmpPort)
      .map(({ name }) =>
        errorAt(
          fieldPlace(service, `ports/${name}`),
          `"${icmpPort}" is no port name: under ports of a policy it stands for ping`,
        ),
      ),
  );

/** What kernels and reports call by these names is no policy of the file. */
export const policyNamesAreFree: Rule = (mesh) => {
  const own: readonly string[] = Object.values(ownEtcdPolicies);
  return mesh.policies.flatMap((policy) => {
    const { name } = policy;
    const isNone = name === "default" || name === baselineName;
    if (!isNone && !own.includes(name)) return [];
    const who = isNone ? "verdicts without a policy have it" : "a policy of an etcd that Weft runs has it";
    return [errorAt(fieldPlace(policy, "name"), `"${name}" is no policy name: ${who}`)];
  });
};

export const policyNamesAreUnique: Rule = (mesh) => {
  const first = new Map<string, string>();
  return mesh.policies.flatMap((policy) => {
    const place = fieldPlace(policy, "name");
    const before = first.get(policy.name);
    first.set(policy.name, before ?? `${place.file}:${place.line}`);
    return before === undefined
      ? []
      : [errorAt(place, `policy "${policy.name}" is given twice, first in ${before}`)];
  });
};

/** What a name becomes must fit into DNS: `_PORT._tcp.SERVICE.ZONE`, `NODE.node.ZONE`, and `NODE.SERVICE.ZONE` of an endpoint. */
export const namesFitIntoDns: Rule = (mesh) => {
  const longest = 253;
  const withCilium = ciliumNodes(mesh);
  const tooLong = (name: string) =>
    name.length > longest ? `"${name.slice(0, 60)}..." is ${name.length} long` : undefined;
  const allowed = `at most ${longest} characters for a whole name; shorten the zone or the name`;
  return [
    ...mesh.nodes.flatMap((node) => {
      const message = tooLong(`${node.name}.node.${mesh.dns.zone}`);
      return message === undefined ? [] : [errorAt(node.place, message, { allowed })];
    }),
    ...mesh.services.flatMap((service) => {
      const names = service.ports.map(
        ({ name, range }) => `_${name}._${range.protocol}.${service.name}.${mesh.dns.zone}`,
      );
      const endpoints = service.nodes
        .filter((node) => withCilium.has(node))
        .map((node) => `${node}.${service.name}.${mesh.dns.zone}`);
      const message = [`${service.name}.${mesh.dns.zone}`, ...names, ...endpoints]
        .map(tooLong)
        .find((text) => text !== undefined);
      return message === undefined ? [] : [errorAt(service.place, message, { allowed })];
    }),
  ];
};

export const spiffeIdsAreValid: Rule = (mesh) =>
  mesh.trustDomain === ""
    ? [] // told where the trust domain is read
    : mesh.services.flatMap((service) => {
        const why = describeWhy(() => parseSpiffeId(service.spiffeId));
        return why === undefined
          ? []
          : [errorAt(fieldPlace(service, "path"), `${service.spiffeId} is no SPIFFE ID: ${why}`)];
      });

export const spiffePathsAreFree: Rule = (mesh) =>
  mesh.trustDomain === ""
    ? []
    : mesh.services.flatMap((service) => {
        const why = reservedBecause(service.spiffeId);
        if (why === undefined) return [];
        const place = fieldPlace(service, "path");
        return [
          errorAt(place, `service "${service.name}" cannot be ${service.spiffeId}: ${why}`, {
            allowed: "a path outside /weft and not beginning with /spire",
          }),
        ];
      });

export const spiffePathsAreUnique: Rule = (mesh) => {
  const owner = new Map<string, string>();
  return mesh.services.flatMap((service) => {
    const before = owner.get(service.spiffeId);
    owner.set(service.spiffeId, before ?? service.name);
    return before === undefined
      ? []
      : [
          errorAt(
            fieldPlace(service, "path"),
            `services "${before}" and "${service.name}" share the SPIFFE ID ${service.spiffeId}`,
          ),
        ];
  });
};
