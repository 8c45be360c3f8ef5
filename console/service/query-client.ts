import { keepPreviousData, QueryClient } from "@tanstack/react-query";
import { Problem } from "./problem.ts";

const RETRIES_MAX = 2;

/** Keeps what the service told last on the page until it tells something newer, so that nothing flickers. */
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

/** Asking again does not help against what the service refuses. */
function mayPass(error: Error): boolean {
  return error instanceof Problem && (error.status === 0 || error.status >= 500);
}
