import { defineConfig } from "holdfast";
import { welcome } from "./contract.js";

export default defineConfig({
  jobs: [welcome],
  // Only a worker loads them.
  handlers: async () => [(await import("./handler.js")).welcomeHandler],
});
