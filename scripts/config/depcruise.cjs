// The layers: model <- pure <- wire <- edges <- main. What each folder may import; npm run check and test/arch hold it.
// tsPreCompilationDeps makes type-only imports count too: a layer is a matter of knowledge, not of run time.

const model = "^packages/shared/src/(model|errors)/";
const pure = [
  "^packages/shared/src/(plan|render|state|kernel-verdict|cilium-file)/",
  "^packages/shared/src/spiffe/spiffe-id[.]ts$",
  "^packages/coordinator/src/(mesh|compile|cilium|plan|replay|guard|fleet|view|explain)/",
  "^packages/coordinator/src/spire/(reserved-id|reconcile-entries|etcd-entry)[.]ts$",
  "^packages/node-agent/src/(decide/|facts/parse-|(cilium|image)/(decide|parse)-|dns/(decide|parse)-|floor/(?!floor-(file|gate)))",
  "^packages/node-agent/src/cut/(flow|parse|judge)",
];
/** Orchestration: it is handed its edges, and so it may name them, but it touches nothing by itself. */
const untouching = [...pure, "^packages/coordinator/src/rollout/", "^packages/node-agent/src/dns/plan-"];
const gen = "^packages/shared/src/gen/";
const mayUseGen = [
  gen,
  "^packages/shared/src/(wire|spiffe)/",
  "^packages/coordinator/src/(server|spire|cli)/",
  "^packages/node-agent/src/(link|enrol)/",
  "^test/",
];
const outsideWorld =
  "^(node:)?(fs|fs/promises|net|tls|dgram|http|http2|https|child_process|worker_threads|cluster|dns|dns/promises|os|sqlite|timers|timers/promises|readline|readline/promises|tty|process)$";
const edgePackages =
  "(^|/)node_modules/(@grpc|execa|winston|chokidar|systeminformation|commander|log-update|@peculiar)(/|$)";

/** @param {string} folder a folder under packages/ @param {string} library a npm package */
const onlyIn = (name, library, folders, comment) => ({
  name,
  comment,
  severity: "error",
  from: { path: "^packages/", pathNot: folders },
  to: { path: `(^|/)node_modules/${library}(/|$)` },
});

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "everything-resolves",
      comment: "an import that is not resolved is one that no rule sees",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "model-knows-only-itself",
      severity: "error",
      from: { path: model },
      to: { pathNot: model },
    },
    {
      name: "pure-code-touches-nothing",
      comment: "no file, socket, process, clock or terminal: these are handed in",
      severity: "error",
      from: { path: untouching },
      to: { path: [outsideWorld, edgePackages] },
    },
    {
      name: "pure-code-knows-model-and-pure-code",
      severity: "error",
      from: { path: pure },
      // the type of a record may be named wherever it is defined: it brings no code along
      to: {
        path: "^packages/",
        pathNot: [model, ...pure, "^packages/node-agent/src/dns/(owner|evidence)[.]ts$"],
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "shared-is-below",
      severity: "error",
      from: { path: "^packages/shared/" },
      to: { path: "^(packages/(coordinator|node-agent)|scripts|test|examples)/" },
    },
    {
      name: "wire-is-below-the-edges",
      severity: "error",
      from: { path: "^packages/shared/src/wire/" },
      to: { path: ["^packages/shared/src/spiffe/", outsideWorld] },
    },
    {
      name: "coordinator-without-agent",
      severity: "error",
      from: { path: "^packages/coordinator/" },
      to: { path: "^(packages/node-agent|scripts|test|examples)/" },
    },
    {
      name: "agent-without-coordinator",
      severity: "error",
      from: { path: "^packages/node-agent/" },
      to: { path: "^(packages/coordinator|scripts|test|examples)/" },
    },
    {
      name: "examples-know-the-spiffe-client",
      severity: "error",
      from: { path: "^examples/" },
      to: { path: "^(packages/(coordinator|node-agent)|scripts|test)/" },
    },
    {
      name: "generated-code-only-at-the-wire",
      severity: "error",
      from: { pathNot: mayUseGen },
      to: { path: gen },
    },
    {
      name: "nobody-imports-a-program",
      severity: "error",
      from: {},
      to: { path: "^(packages/[a-z-]+/src/(cli/)?|scripts/[a-z-]+/)main[.]ts$" },
    },
    onlyIn("hardware-facts-in-one-file", "systeminformation", "^packages/node-agent/src/facts/hardware"),
    onlyIn("logging-in-one-file", "winston", "^packages/[a-z-]+/src/log[.]ts$"),
    onlyIn("archives-are-read-in-one-file", "tar-stream", "^packages/node-agent/src/image/tar-entries[.]ts$"),
    onlyIn("schemas-stay-in-few-places", "zod", "^packages/(coordinator/|shared/src/cilium-file/)"),
    onlyIn("yaml-is-read-in-few-places", "yaml", "^packages/(coordinator/|node-agent/src/floor/|shared/src/cilium-file/)"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // newer than the list that dependency-cruiser has
    builtInModules: { add: ["sqlite", "node:sqlite"] },
    exclude: { path: "([.]test[.]ts$|^dist/)" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    // without these, workspace imports stay unresolved names and every layer rule passes silently
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
      extensions: [".ts", ".js", ".cjs", ".mjs", ".json", ".d.ts"],
    },
  },
};
