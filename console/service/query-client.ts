import { keepPreviousData, QueryClient } from "@tanstack/react-query";
import { asProblem } from "./problem.ts";

const RETRIES_MAX = 2;

/** Keeps old data on the page until new data comes, so that nothing flickers. */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 1_000,
        placeholderData: keepPreviousData,
        networkMode: "always",
        retry: (failures, error) => failures < RETRIES_MAX && mayPass(error),
      },
      mutations: { networkMode: "always" },
    },
  });
}

/** Refusals are not retried. */
function mayPass(error: Error): boolean {
  const { status, code } = asProblem(error);
  return code !== "CONSOLE" && (status === 0 || status >= 500);
}
