import { type Span, SpanKind, type Telemetry } from "bullmq";
import { BullMQOtel } from "bullmq-otel";

/**
 * BullMQ's telemetry, of attempts alone. Its spans of the loop around them belong to no job: an idle worker would make dozens of traces a
 * minute.
 */
export function attemptTelemetry(): Telemetry {
  const { tracer, contextManager } = new BullMQOtel({ tracerName: "holdfast" });
  return {
    contextManager,
    tracer: {
      startSpan: (name, options, context) =>
        options?.kind === SpanKind.CONSUMER ? tracer.startSpan(name, options, context) : NO_SPAN,
    },
  };
}

const NO_SPAN: Span = {
  setSpanOnContext: (context) => context,
  setAttribute() {},
  setAttributes() {},
  addEvent() {},
  recordException() {},
  end() {},
};
