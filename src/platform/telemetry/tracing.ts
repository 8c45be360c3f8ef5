import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";

/** Traces, through OpenTelemetry's API alone. Without an SDK in the process each call does nothing. */

const NAME = "holdfast";

/** Whether the process has an SDK that records spans. Checked once, at start. */
export function isTraced(): boolean {
  const span = trace.getTracer(NAME).startSpan("probe", { root: true });
  return trace.isSpanContextValid(span.spanContext()) && span.isRecording();
}

/** The id of the current trace; undefined if nothing is traced. */
export function traceId(): string | undefined {
  return trace.getSpanContext(context.active())?.traceId;
}

/** The trace context that is stored with a job, in the form of BullMQ's own integration; its attempts join the trace. */
export function traceCarrier(): string | undefined {
  if (traceId() === undefined) return undefined;
  const carrier = {};
  propagation.inject(context.active(), carrier);
  return JSON.stringify(carrier);
}

/** The span of one HTTP request. */
export interface RequestSpan {
  /** Runs work inside the span. */
  run(work: () => void): void;
  /** The response's `traceresponse` header: it shows the client which span this was. */
  readonly header: string;
  end(status: number, route: string | undefined): void;
}

/** @returns undefined if nothing is traced */
export function startRequestSpan(
  method: string,
  path: string,
  headers: Readonly<Record<string, unknown>>,
): RequestSpan | undefined {
  const parent = propagation.extract(ROOT_CONTEXT, headers);
  const span = trace
    .getTracer(NAME)
    .startSpan(
      method,
      { kind: SpanKind.SERVER, attributes: { "http.request.method": method, "url.path": path } },
      parent,
    );
  const own = span.spanContext();
  if (!trace.isSpanContextValid(own)) return undefined;
  const inside: Context = trace.setSpan(parent, span);
  return {
    run: (work) => context.with(inside, work),
    header: `00-${own.traceId}-${own.spanId}-${own.traceFlags.toString(16).padStart(2, "0")}`,
    end(status, route) {
      if (route !== undefined) span.updateName(`${method} ${route}`).setAttribute("http.route", route);
      span.setAttribute("http.response.status_code", status);
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

/**
 * Runs work in a new span inside the current one.
 *
 * @param scrub removes secrets from error messages
 */
export function inSpan<T>(
  name: string,
  attributes: Attributes,
  work: () => Promise<T>,
  scrub: (text: string) => string,
): Promise<T> {
  if (traceId() === undefined) return work();
  return trace.getTracer(NAME).startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work();
    } catch (error) {
      markFailed(span, error, scrub);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Marks the span of an attempt, which is BullMQ's: that ends it as if all was well. */
export function failAttemptSpan({
  code,
  message,
}: {
  readonly code: string;
  readonly message: string;
}): void {
  const span = trace.getActiveSpan();
  span
    ?.setAttribute("error.type", code)
    .setStatus({ code: SpanStatusCode.ERROR, message: `${code}: ${message}` });
}

function markFailed(span: Span, error: unknown, scrub: (text: string) => string): void {
  const message = scrub(error instanceof Error ? error.message : String(error));
  if (error instanceof Error)
    span.recordException({ name: error.name, message, stack: scrub(error.stack ?? "") });
  span.setStatus({
    code: SpanStatusCode.ERROR,
    message,
  });
}
