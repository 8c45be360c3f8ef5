import { context, propagation } from "@opentelemetry/api";

/** Headers that let the receiver join the attempt's trace; none without tracing. */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}
