/**
 * Import ranks: data goes one way, from a job's contract to its status. A folder may import folders of its own
 * rank or below, never above; the edges never import each other.
 */
const ranks = [
  ["errors", "lib"],
  ["config"],
  ["telemetry"],
  ["redis"],
  ["job"],
  ["evidence"],
  ["queue"],
  ["status", "effect"],
  ["submit"],
  ["worker"],
  ["schedule", "operate"],
  ["http", "client"],
  ["cli"],
  ["testing"],
];

const upward = ranks.flatMap((folders, rank) => {
  const above = ranks.slice(rank + 1).flat();
  if (above.length === 0) return [];
  return [
    {
      name: `rank-${folders.join("-")}`,
      comment: `${folders.join(", ")} must not import from a later stage`,
      severity: "error",
      from: { path: `^src/(${folders.join("|")})/` },
      to: { path: `^src/((${above.join("|")})/|(index|worker|server)\\.ts)` },
    },
  ];
});

module.exports = {
  forbidden: [
    ...upward,
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "edges-apart",
      comment: "edges call the stages, never each other",
      severity: "error",
      from: { path: "^src/(http|client|cli/mailbox)/" },
      to: { path: "^src/(http|client|cli)/", pathNot: "^src/$1/" },
    },
    {
      name: "client-runs-on-fetch-alone",
      comment:
        "the client runs in browsers: of the other rooms it knows types, of packages and Node.js nothing",
      severity: "error",
      from: { path: "^src/client/", pathNot: "\\.test\\.ts$" },
      to: {
        pathNot: "^src/(client|errors)/|^src/lib/(wait|iso-time)\\.ts$",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "evidence-loads-light",
      comment: "contracts import it in every process: by the shape of errors alone, without a library",
      severity: "error",
      from: { path: "^src/evidence/", pathNot: "\\.test\\.ts$" },
      to: {
        pathNot: "^src/(evidence|errors)/|^src/lib/(delay-ms|error-tree|never-sent-codes)\\.ts$",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "mailbox-on-demand",
      comment: "the mailbox is a development tool: no other role loads it or its libraries",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/cli/mailbox/" },
      to: { path: "^src/cli/mailbox/|node_modules/(smtp-server|mailparser)/", dynamic: false },
    },
    {
      name: "bullmq-only-in-queue",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/queue/" },
      to: { path: "node_modules/bullmq" },
    },
    {
      name: "encryption-behind-the-queue-store",
      comment: "QueueStore and the ledger encrypt; no other room knows of it",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(redis|queue|effect)/|\\.test\\.ts$" },
      to: { path: "^src/redis/(codec|cipher|associated-data)\\.ts$" },
    },
    {
      name: "contracts-load-no-handler",
      comment: "a producer must never load a handler's code",
      severity: "error",
      from: { path: "^jobs/.*/contract\\.ts$" },
      to: { path: "^jobs/.*/handler\\.ts$|node_modules/nodemailer" },
    },
    {
      name: "no-dev-dependency-in-src",
      severity: "error",
      from: { path: "^src/", pathNot: "\\.test\\.ts$" },
      // The build makes Fastify a part of dist/.
      to: {
        dependencyTypes: ["npm-dev"],
        dependencyTypesNot: ["npm-peer"],
        pathNot: "node_modules/fastify/",
      },
    },
    {
      name: "console-only-knows-types",
      comment:
        "the console knows the service by its HTTP routes, and of its code no more than types; it reads a provider's export and instants itself, and says what was sent in the same words as the command line",
      severity: "error",
      from: { path: "^console/" },
      to: {
        path: "^src/",
        pathNot: "^src/lib/(provider-export|instant|outgoing-text)\\.ts$",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "parts-of-the-console-run-in-browsers",
      severity: "error",
      from: { path: "^src/lib/(provider-export|instant|outgoing-text)\\.ts$" },
      to: {},
    },
    {
      name: "nothing-imports-the-console",
      severity: "error",
      from: { pathNot: "^console/" },
      to: { path: "^console/" },
    },
    { name: "not-resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["holdfast-source", "import", "node", "default", "types"],
    },
  },
};
