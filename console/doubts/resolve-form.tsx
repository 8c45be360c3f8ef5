import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";
import {
  Button,
  FieldError,
  Label,
  Radio,
  RadioGroup,
  Text,
  TextArea,
  TextField,
} from "react-aria-components";
import { count } from "../parts/format.ts";
import { ActProblem, useLate } from "../parts/late.tsx";
import { isCall } from "../parts/link.tsx";
import { useNotice } from "../parts/notice.tsx";
import { useSeen } from "../parts/use-seen.ts";
import { service } from "../service/call.ts";
import { codeOf } from "../service/problem.ts";
import { useHeld } from "./held.ts";
import { type DoubtToResolve, useDoubt } from "./queries.ts";
import { type As, type Resolution, textOf, useRefreshDoubts } from "./resolve-all.ts";

const EVIDENCE_MAX = 2_000;
const ASKED_AGAIN: readonly unknown[] = ["RUN_MAY_BE_PENDING", "RUN_SAID_DONE"];

interface Props extends DoubtToResolve {
  readonly onClose: () => void;
  /** Called when an answer is held, or no longer. */
  readonly onHeld: (isHeld: boolean) => void;
}

/** Asks what happened, and how the person knows. */
export function ResolveForm({ onClose, onHeld, ...of }: Props) {
  const [as, setAs] = useState<As | null>(null);
  const [evidence, setEvidence] = useState("");
  const [result, setResult] = useState("");
  const resolve = useResolve({ ...of, onClose });
  const { left, hold, undo } = useHeld(resolve.mutate);
  const isHeld = left !== undefined;
  useEffect(() => onHeld(isHeld), [onHeld, isHeld]);
  const parsed = parseResult(result);
  const isReady = as !== null && evidence.trim() !== "" && parsed !== "invalid";
  // The second question, after the service has refused.
  const isAsked = as === "not-done" && ASKED_AGAIN.includes(codeOf(resolve.error));

  function submit(event: FormEvent) {
    event.preventDefault();
    if (!isReady || isHeld || resolve.isPending) return;
    const confirm = isAsked ? { confirm: true } : {};
    hold({ as, evidence: evidence.trim(), ...(as === "done" && parsed), ...confirm });
  }

  return (
    <form onSubmit={submit} className="resolve-form">
      <div className="resolve-form" inert={isHeld}>
        <Choice as={as} onChange={setAs} isOfCall={isCall(of.jobId)} />
        <Evidence text={evidence} onChange={setEvidence} />
        {as === "done" && <Result text={result} isInvalid={parsed === "invalid"} onChange={setResult} />}
      </div>
      {resolve.error !== null && !isHeld && <ActProblem thrown={resolve.error} />}
      <HeldNote left={left} />
      <div className="window-actions">
        <Button className="button" onPress={isHeld ? undo : onClose}>
          {isHeld ? "Undo" : "Not now"}
        </Button>
        <Button
          type="submit"
          className={isAsked ? "button danger main" : "button main"}
          isDisabled={!isReady}
          isPending={isHeld || resolve.isPending}
        >
          {as === null ? "Resolve" : `Resolve as ${textOf(as)}${isAsked ? " all the same" : ""}`}
        </Button>
      </div>
    </form>
  );
}

/** Says that an answer is held, and for how long. */
export function HeldNote({ left }: { readonly left: number | undefined }) {
  return (
    <div role="status">
      {left !== undefined && (
        <p>
          Nothing is sent for five seconds<span aria-hidden>: {left}</span>. Whoever closes the page before
          has undone it.
        </p>
      )}
    </div>
  );
}

interface ChoiceProps {
  readonly as: As | null;
  readonly onChange: (as: As) => void;
  /** Whether no job runs the effect. @default false */
  readonly isOfCall?: boolean;
}

export function Choice({ as, onChange, isOfCall = false }: ChoiceProps) {
  return (
    <RadioGroup
      validationBehavior="aria"
      className="choices"
      value={as}
      onChange={(value) => onChange(value as As)}
      isRequired
    >
      <Label>What happened?</Label>
      <Radio value="done" className="choice">
        <b>Done</b> It happened. It is not run again{isOfCall ? "." : ", and the job continues."}
      </Radio>
      <Radio value="not-done" className="choice">
        <b>Not done</b> It did not happen. {isOfCall ? "The next call" : "The job continues and"} runs it
        again.
      </Radio>
    </RadioGroup>
  );
}

interface FieldProps {
  readonly text: string;
  readonly onChange: (text: string) => void;
}

export function Evidence({ text, onChange }: FieldProps) {
  return (
    <TextField
      validationBehavior="aria"
      className="field"
      value={text}
      onChange={onChange}
      isRequired
      maxLength={EVIDENCE_MAX}
    >
      <Label>Evidence</Label>
      <TextArea rows={3} />
      <Text slot="description">
        How you know. Kept in the audit log; {count(EVIDENCE_MAX - text.length)} characters left.
      </Text>
    </TextField>
  );
}

function Result({ text, isInvalid, onChange }: FieldProps & { readonly isInvalid: boolean }) {
  return (
    <TextField
      validationBehavior="aria"
      className="field json-field"
      value={text}
      onChange={onChange}
      isInvalid={isInvalid}
    >
      <Label>Result, as JSON (optional)</Label>
      <TextArea rows={2} spellCheck={false} />
      <Text slot="description">What the effect would have returned to the handler.</Text>
      <FieldError>This is not JSON.</FieldError>
    </TextField>
  );
}

function useResolve({ onClose, ...of }: Omit<Props, "onHeld">) {
  const { jobId, effect } = of;
  const now = useDoubt(of);
  const seen = useSeen(now, now !== undefined);
  const refresh = useRefreshDoubts();
  const notice = useNotice();
  const late = useLate(`Resolve “${effect}”?`);
  return useMutation({
    mutationFn: (resolution: Resolution & { readonly result?: unknown }) =>
      service.resolve(jobId, effect, {
        ...resolution,
        ...(seen && { expect: { since: seen.since, mayStillRun: seen.mayStillRun } }),
      }),
    onSuccess: async (_answer, { as }) => {
      if (!late.isLeft()) onClose();
      notice(
        `“${effect}” is resolved as ${textOf(as)}. ${isCall(jobId) ? "The next call goes on." : "The job is in line again."}`,
      );
      await refresh();
    },
    onError: late.tell,
  });
}

/** Empty if the field is empty. */
function parseResult(text: string): { readonly result?: unknown } | "invalid" {
  if (text.trim() === "") return {};
  try {
    return { result: JSON.parse(text) as unknown };
  } catch {
    return "invalid";
  }
}
