/**
 * Imports go one way. A place in this list never imports a later one: rings from `platform` outwards, and within a ring from
 * what is known first to what is done with it.
 */
const order = [
  ["platform/errors", "platform/lib"],
  ["platform/config"],
  ["platform/telemetry"],
  ["platform/redis"],
  ["evidence"],
  ["core/job"],
  ["core/bullmq"],
  ["core/status", "core/effect", "core/define", "core/history"],
  ["core/submit"],
  ["core/life", "core/watch"],
  ["core/run"],
  ["postgres", "guard"],
  ["roles"],
  ["features"],
  ["desk"],
  ["edges/http", "edges/client", "edges/nestjs", "edges/guarded"],
  ["edges/cli"],
  ["testing"],
];

const upward = order.flatMap((folders, rank) => {
  const above = order.slice(rank + 1).flat();
  if (above.length === 0) return [];
  return [
    {
      name: `rank-${folders.join("-").replaceAll("/", "-")}`,
      comment: `${folders.join(", ")} must not import what is further out`,
      severity: "error",
      from: { path: `^src/(${folders.join("|")})/`, pathNot: "\\.test\\.ts$" },
      to: { path: `^src/((${above.join("|")})/|(index|worker|server|postgres|guard|nestjs)\\.ts)` },
    },
  ];
});

/** Files directly in a ring are of no place in the list: they keep the order of rings. */
const rings = [
  "platform",
  "evidence",
  "core",
  "postgres",
  "guard",
  "roles",
  "features",
  "desk",
  "edges",
  "testing",
];
const outwards = rings.slice(0, -1).map((ring, rank) => ({
  name: `ring-${ring}`,
  comment: `${ring} must not import what is further out`,
  severity: "error",
  from: { path: `^src/${ring}/`, pathNot: "\\.test\\.ts$" },
  to: {
    path: `^src/(${rings.slice(rank + 1).join("|")})/`,
  },
}));

module.exports = {
  forbidden: [
    ...upward,
    ...outwards,
    {
      name: "shared-by-features-knows-none",
      comment: "only the list knows features by name",
      severity: "error",
      from: { path: "^src/features/[^/]+$", pathNot: "^src/features/index\\.ts$|\\.test\\.ts$" },
      to: { path: "^src/features/[^/]+/" },
    },
    {
      name: "src-knows-itself-alone",
      comment: "the package contains nothing else of the checkout",
      severity: "error",
      from: { path: "^src/", pathNot: "\\.test\\.ts$" },
      to: { path: "/", pathNot: "^src/|^package\\.json$|node_modules/", dependencyTypesNot: ["core"] },
    },
    {
      name: "features-apart",
      comment: "a feature can be taken out alone",
      severity: "error",
      from: { path: "^src/features/([^/]+)/", pathNot: "\\.test\\.ts$" },
      to: { path: "^src/features/", pathNot: "^src/features/($1/|(payload-key|sweep-index)\\.ts$)" },
    },
    {
      name: "roles-apart",
      comment: "one can run without the other",
      severity: "error",
      from: { path: "^src/roles/([^/]+)/" },
      to: { path: "^src/roles/", pathNot: "^src/roles/$1/" },
    },
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "edges-apart",
      comment: "edges call the stages, and of each other only the mount, as an application does",
      severity: "error",
      from: { path: "^src/edges/(http|client|nestjs|guarded)/" },
      to: {
        path: "^src/edges/(http|client|nestjs|guarded|cli)/",
        pathNot: "^src/edges/($1/|http/mount/create-handler\\.ts$)",
      },
    },
    {
      name: "client-runs-on-fetch-alone",
      comment:
        "the client runs in browsers: of the other rooms it knows types, of packages and Node.js nothing",
      severity: "error",
      from: { path: "^src/edges/client/", pathNot: "\\.test\\.ts$" },
      to: {
        pathNot:
          "^src/(edges/client|platform/errors)/|^src/platform/lib/(wait|iso-time)\\.ts$|^src/desk/job-types\\.ts$",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "evidence-loads-light",
      comment: "contracts import it in every process: by the shape of errors alone, without a library",
      severity: "error",
      from: { path: "^src/evidence/[^/]+$", pathNot: "\\.test\\.ts$" },
      to: {
        pathNot: "^src/evidence/[^/]+$|^src/platform/(errors/|lib/delay-ms\\.ts$)|^util$",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "bullmq-only-in-core-bullmq",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/core/bullmq/" },
      to: { path: "node_modules/bullmq" },
    },
    {
      name: "encryption-behind-the-queue-store",
      comment: "QueueStore and the ledger encrypt; no other room knows of it",
      severity: "error",
      from: {
        path: "^src/",
        pathNot: "^src/(platform/redis|core/bullmq|core/effect)/|\\.test\\.ts$",
      },
      to: { path: "^src/platform/redis/encryption/(codec|cipher|associated-data)\\.ts$" },
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
      // The build makes these a part of dist/: see scripts/lib/vendor.mjs.
      to: {
        dependencyTypes: ["npm-dev"],
        dependencyTypesNot: ["npm-peer"],
        pathNot:
          "node_modules/(@fastify/(static|swagger)|@noble/ciphers|@opentelemetry/api|bullmq|bullmq-otel|cli-progress|fastify|pino-pretty|prom-client)/",
      },
    },
    {
      name: "console-only-knows-types",
      comment:
        "the console calls the service by the client, and knows of its code no more than types; it reads a provider's export and instants itself, and says what was sent in the same words as the command line",
      severity: "error",
      from: { path: "^console/" },
      to: {
        path: "^src/",
        pathNot:
          "^src/(edges/client/index|platform/errors/error-codes|desk/doubts/provider-export|desk/jobs/instant|evidence/outgoing/outgoing-text|platform/lib/duration-text)\\.ts$",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "parts-of-the-console-run-in-browsers",
      severity: "error",
      from: {
        path: "^src/(desk/doubts/provider-export|desk/jobs/instant|evidence/outgoing/outgoing-text|platform/lib/duration-text)\\.ts$",
      },
      to: { pathNot: "^src/platform/lib/duration-text\\.ts$" },
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
