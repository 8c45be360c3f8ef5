import { defineConfig } from "holdfast";
import { welcome } from "./contract.ts";

export default defineConfig({
  jobs: [welcome],
  // Only a worker loads them.
  handlers: async () => [(await import("./handler.ts")).welcomeHandler],
});
