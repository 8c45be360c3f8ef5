import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must, writeProject } from "./folder.ts";

/** A project in which somebody tries Holdfast. */
export interface Newcomer {
  readonly name: string;
  /** Writes and installs what was there before. */
  prepare(folder: string): Promise<void>;
  /** Of the scripts that `init` adds. */
  readonly prefix: "" | "jobs:";
  /** Where `init` puts the job's handler. */
  readonly handler: string;
  /** Checks that the project is whole afterwards. */
  check(folder: string): Promise<void>;
}

const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"];
const nextEnv = { NEXT_TELEMETRY_DISABLED: "1", CI: "1" };

export const newcomers: readonly Newcomer[] = [
  {
    name: "empty folder",
    prepare: async () => {},
    prefix: "",
    handler: "jobs/greeting/handler.ts",
    async check(folder) {
      await must(folder, "npm", ["run", "typecheck"]);
      await checkByDefaults(folder);
    },
  },
  {
    name: "Express, CommonJS",
    async prepare(folder) {
      writeProject(folder, { type: "commonjs", scripts: { start: "node server.js" } });
      writeFileSync(join(folder, "server.js"), expressServer);
      await must(folder, "npm", ["install", ...quiet, "express@^5"]);
    },
    prefix: "jobs:",
    handler: "jobs/greeting/handler.mjs",
    check: async (folder) => void (await must(folder, "node", ["--check", "server.js"])),
  },
  {
    name: "Next.js, TypeScript, src/",
    async prepare(folder) {
      writeProject(folder, { type: undefined, scripts: { dev: "next dev", build: "next build" } });
      mkdirSync(join(folder, "src/app"), { recursive: true });
      writeFileSync(join(folder, "tsconfig.json"), nextConfig);
      writeFileSync(join(folder, "src/app/layout.tsx"), nextLayout);
      writeFileSync(
        join(folder, "src/app/page.tsx"),
        "export default function Page() { return <p>Hello</p>; }\n",
      );
      const packages = ["next", "react", "react-dom", "typescript@6", "@types/react", "@types/node@20"];
      await must(folder, "npm", ["install", ...quiet, ...packages]);
    },
    prefix: "jobs:",
    handler: "src/jobs/greeting/handler.ts",
    // Next.js checks the types of the whole project.
    check: async (folder) =>
      void (await must(folder, "npm", ["run", "build"], { env: nextEnv, ms: 180_000 })),
  },
];

/** Also with the tsconfig.json that TypeScript itself writes. */
async function checkByDefaults(folder: string): Promise<void> {
  const file = join(folder, "tsconfig.json");
  const own = readFileSync(file);
  rmSync(file);
  await must(folder, "npx", ["tsc", "--init"]);
  await must(folder, "npx", ["tsc", "--noEmit"]);
  writeFileSync(file, own);
}

const expressServer = `const express = require("express");
const app = express();
app.get("/", (request, response) => response.send("Hello"));
if (require.main === module) app.listen(4000);
`;

const nextLayout = `import type { ReactNode } from "react";
export default function Layout({ children }: { children: ReactNode }) {
  return <html lang="en"><body>{children}</body></html>;
}
`;

/** As \`create-next-app\` writes it. */
const nextConfig = JSON.stringify(
  {
    compilerOptions: {
      target: "ES2017",
      lib: ["dom", "dom.iterable", "esnext"],
      allowJs: true,
      skipLibCheck: true,
      strict: true,
      noEmit: true,
      esModuleInterop: true,
      module: "esnext",
      moduleResolution: "bundler",
      resolveJsonModule: true,
      isolatedModules: true,
      jsx: "react-jsx",
      incremental: true,
      plugins: [{ name: "next" }],
    },
    include: ["next-env.d.ts", "**/*.ts", "**/*.tsx", ".next/types/**/*.ts"],
    exclude: ["node_modules"],
  },
  null,
  2,
);
