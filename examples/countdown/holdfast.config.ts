import { defineConfig } from "holdfast";
import { countdown } from "./contract.ts";

export default defineConfig({
  jobs: [countdown],
  handlers: async () => {
    const { countdownHandler } = await import("./handler.ts");
    return [countdownHandler];
  },
});
