import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./style/base.css";
import "./style/controls.css";
import "./style/shell.css";
import "./style/table.css";
import { App } from "./app.tsx";
import { rememberScroll } from "./parts/scroll-memory.ts";
import { createQueryClient } from "./service/query-client.ts";
import { loadSession } from "./service/signing.ts";
// After the pages' own.
import "./style/touch.css";

const root = document.getElementById("root");
if (root !== null) {
  void loadSession();
  rememberScroll();
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={createQueryClient()}>
        <App />
      </QueryClientProvider>
    </StrictMode>,
  );
}
