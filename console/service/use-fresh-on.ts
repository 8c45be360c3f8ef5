import { type QueryKey, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

/** The shortest pause between two reads: some lists are expensive for the service. */
const EVERY_MS = 5_000;

/** Reads a query again after a live number has changed. @param value null while it is not known */
export function useFreshOn(value: number | null, queryKey: QueryKey): void {
  const client = useQueryClient();
  const seen = useRef(value);
  const name = JSON.stringify(queryKey);

  useEffect(() => {
    if (value === null || seen.current === value) return;
    if (seen.current === null) {
      seen.current = value;
      return;
    }
    const key = JSON.parse(name) as QueryKey;
    const ageMs = Date.now() - (client.getQueryState(key)?.dataUpdatedAt ?? 0);
    const timer = setTimeout(
      () => {
        seen.current = value;
        void client.invalidateQueries({ queryKey: key });
      },
      Math.max(0, EVERY_MS - ageMs),
    );
    return () => clearTimeout(timer);
  }, [value, name, client]);
}
