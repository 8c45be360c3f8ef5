import { context, propagation } from "@opentelemetry/api";

/** Headers by which the receiver can join the attempt's trace; none where nothing is traced. */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}
