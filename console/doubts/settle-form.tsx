import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
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
import { useNotice } from "../parts/notice.tsx";
import { ProblemNote } from "../parts/states.tsx";
import { send } from "../service/call.ts";

const EVIDENCE_MAX = 2_000;

type As = "done" | "not-done";

interface Props {
  readonly jobId: string;
  readonly effect: string;
  readonly onClose: () => void;
}

/** What a person saw, and how they know. */
export function SettleForm({ jobId, effect, onClose }: Props) {
  const [as, setAs] = useState<As | null>(null);
  const [evidence, setEvidence] = useState("");
  const [result, setResult] = useState("");
  const settle = useSettle({ jobId, effect, onClose });
  const parsed = parseResult(result);
  const isReady = as !== null && evidence.trim() !== "" && parsed !== "invalid";

  function submit(event: FormEvent) {
    event.preventDefault();
    if (!isReady) return;
    settle.mutate({ as, evidence: evidence.trim(), ...(as === "done" && parsed) });
  }

  return (
    <form onSubmit={submit} className="settle-form">
      <RadioGroup
        validationBehavior="aria"
        className="choices"
        value={as}
        onChange={(value) => setAs(value as As)}
        isRequired
      >
        <Label>What happened?</Label>
        <Radio value="done" className="choice">
          <b>Done</b> It happened. It is not run again, and the job goes on.
        </Radio>
        <Radio value="not-done" className="choice">
          <b>Not done</b> It did not happen. The job goes on and runs it again.
        </Radio>
      </RadioGroup>
      <TextField
        validationBehavior="aria"
        className="field"
        value={evidence}
        onChange={setEvidence}
        isRequired
        maxLength={EVIDENCE_MAX}
      >
        <Label>Evidence</Label>
        <TextArea rows={3} />
        <Text slot="description">
          How you know. Kept in the audit trail; {count(EVIDENCE_MAX - evidence.length)} characters left.
        </Text>
      </TextField>
      {as === "done" && (
        <TextField
          validationBehavior="aria"
          className="field json-field"
          value={result}
          onChange={setResult}
          isInvalid={parsed === "invalid"}
        >
          <Label>Result, as JSON (may stay empty)</Label>
          <TextArea rows={2} spellCheck={false} />
          <Text slot="description">What the effect would have returned to the handler.</Text>
          <FieldError>This is not JSON.</FieldError>
        </TextField>
      )}
      {settle.error !== null && <ProblemNote thrown={settle.error} />}
      <div className="window-actions">
        <Button className="button" onPress={onClose}>
          Not now
        </Button>
        <Button type="submit" className="button main" isDisabled={!isReady} isPending={settle.isPending}>
          {as === null ? "Settle" : `Settle as ${as === "done" ? "done" : "not done"}`}
        </Button>
      </div>
    </form>
  );
}

interface Settlement {
  readonly as: As;
  readonly evidence: string;
  readonly result?: unknown;
}

function useSettle({ jobId, effect, onClose }: Props) {
  const client = useQueryClient();
  const notice = useNotice();
  return useMutation({
    mutationFn: (settlement: Settlement) =>
      send(`jobs/${encodeURIComponent(jobId)}/effects/${encodeURIComponent(effect)}/resolve`, settlement),
    onSuccess: async (_answer, { as }) => {
      onClose();
      notice(`“${effect}” is settled as ${as === "done" ? "done" : "not done"}. The job goes on.`);
      const touched = ["doubts", "audit", "job", "jobs", "failures"];
      await Promise.all(touched.map((name) => client.invalidateQueries({ queryKey: [name] })));
    },
  });
}

/** What to send of it: nothing where the field is empty. */
function parseResult(text: string): { readonly result?: unknown } | "invalid" {
  if (text.trim() === "") return {};
  try {
    return { result: JSON.parse(text) as unknown };
  } catch {
    return "invalid";
  }
}
