import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import {
  Button,
  FieldError,
  Input,
  Label,
  Menu,
  MenuItem,
  MenuTrigger,
  Popover,
  TextField,
} from "react-aria-components";
import { useLocation } from "wouter";
import { Fact } from "../parts/detail-page.tsx";
import { Window } from "../parts/dialog.tsx";
import { prettyJson } from "../parts/format.ts";
import { JsonField, parseJson, REDACTED } from "../parts/json-field.tsx";
import { ActProblem, useLate } from "../parts/late.tsx";
import { JobLink, jobPath, Text } from "../parts/link.tsx";
import { useNotice } from "../parts/notice.tsx";
import { Reason } from "../parts/reason.tsx";
import { foundQuery } from "../search/queries.ts";
import { JOB_ID } from "../search/search-box.tsx";
import type { JobDetail } from "../service/answers.ts";
import { service } from "../service/call.ts";
import { useMay } from "../service/session.ts";

const AGAIN = "again:";
const TAG_MAX = 64;
const TAGS_MAX = 10;

/** A tag that names the job which was submitted again. Braces, of a partition's name, may not be in a tag. */
function againTag(id: string): string {
  const tag = `${AGAIN}${id}`;
  return tag.length <= TAG_MAX && !/[{}]/.test(tag) ? tag : `${AGAIN}${id.slice(-36)}`;
}

/** The job that this one repeats, and those that repeat it. */
export function Again({ job: { id, tags } }: { readonly job: JobDetail }) {
  const later = useQuery(foundQuery({ tag: againTag(id) }));
  const earlier = tags.find((tag) => tag.startsWith(AGAIN))?.slice(AGAIN.length);
  return (
    <>
      {earlier !== undefined && JOB_ID.test(earlier) && (
        <Fact name="Repeats">
          <JobLink id={earlier} />
        </Fact>
      )}
      {(later.data?.jobs.length ?? 0) > 0 && (
        <div>
          <dt>Submitted again as</dt>
          <dd className="tags">
            {later.data?.jobs.map(({ id: next, idempotencyKey }) => (
              <JobLink key={next} id={next}>
                <Text of={idempotencyKey} />
              </JobLink>
            ))}
          </dd>
        </div>
      )}
    </>
  );
}

/** Submits another job with this one's payload, changed if need be, and with another key. */
export function SubmitAgain({ job }: { readonly job: JobDetail }) {
  const [isOpen, setOpen] = useState(false);
  if (!useMay("operate")) return null;
  return (
    <>
      <MenuTrigger>
        <Button className="button" aria-label="More to do">
          More…
        </Button>
        <Popover placement="bottom end">
          <Menu className="menu" onAction={() => setOpen(true)}>
            <MenuItem className="menu-item">Edit and submit again…</MenuItem>
          </Menu>
        </Popover>
      </MenuTrigger>
      <Window title="Submit again, as a new job" isOpen={isOpen} onClose={() => setOpen(false)}>
        <Form job={job} onClose={() => setOpen(false)} />
      </Window>
    </>
  );
}

function Form({ job, onClose }: { readonly job: JobDetail; readonly onClose: () => void }) {
  const [key, setKey] = useState(`${job.idempotencyKey}-again`);
  const [payload, setPayload] = useState(prettyJson(job.payload));
  const [reason, setReason] = useState("");
  const [isConfirmed, setConfirmed] = useState(false);
  const { submit, isPending, thrown } = useSubmit(job, onClose);
  const unknown = job.effects.filter(({ state }) => state !== "done");
  const parsed = parseJson(payload);
  const isSameKey = key === job.idempotencyKey;
  // Unchanged, the service takes the payload as it was submitted.
  const isChanged = payload !== prettyJson(job.payload);
  const isWhole = !isChanged || (parsed !== undefined && !payload.includes(REDACTED));
  const isReady =
    isWhole && !isSameKey && key !== "" && reason.trim() !== "" && (isConfirmed || unknown.length === 0);

  function onSubmit(event: FormEvent) {
    event.preventDefault();
    if (isReady && !isPending)
      void submit({
        idempotencyKey: key,
        reason: reason.trim(),
        ...(isChanged && { payload: parsed?.value }),
        ...(isConfirmed && { confirm: true }),
      });
  }

  return (
    <form onSubmit={onSubmit} className="resolve-form">
      <p>
        A new job of the type <Text of={job.type} />. Nothing that <Text of={job.idempotencyKey} /> did is
        undone, and its effects happen again.
      </p>
      {unknown.length > 0 && (
        <label className="bad">
          <input
            type="checkbox"
            checked={isConfirmed}
            onChange={({ target }) => setConfirmed(target.checked)}
          />{" "}
          Nobody can know whether <Text of={unknown.map(({ name }) => name).join(", ")} /> happened. Resolve
          the doubt, and the old job goes on. Submit a new one all the same: it may happen again.
        </label>
      )}
      <TextField
        className="field"
        value={key}
        onChange={setKey}
        isInvalid={isSameKey}
        validationBehavior="aria"
        maxLength={255}
      >
        <Label>New idempotency key</Label>
        <Input />
        <FieldError>The old job has this key: it would not be a new job.</FieldError>
      </TextField>
      <JsonField label="Payload" text={payload} onChange={setPayload} />
      <Reason text={reason} onChange={setReason} />
      {thrown !== null && <ActProblem thrown={thrown} />}
      <div className="window-actions">
        <Button className="button" onPress={onClose}>
          Not now
        </Button>
        <Button type="submit" className="button main" isDisabled={!isReady} isPending={isPending}>
          Submit a new job
        </Button>
      </div>
    </form>
  );
}

function useSubmit({ id, tags }: JobDetail, onClose: () => void) {
  const client = useQueryClient();
  const notice = useNotice();
  const [, navigate] = useLocation();
  const late = useLate("Submit again?");
  const [isPending, setPending] = useState(false);
  const [thrown, setThrown] = useState<unknown>(null);

  async function submit(request: Parameters<typeof service.again>[1]) {
    const own = tags.filter((tag) => !tag.startsWith(AGAIN)).slice(0, TAGS_MAX - 1);
    setPending(true);
    setThrown(null);
    try {
      const receipt = await service.again(id, { ...request, options: { tags: [...own, againTag(id)] } });
      await client.invalidateQueries({ queryKey: ["jobs"] });
      if (!late.isLeft()) onClose();
      notice(
        receipt.duplicate
          ? "That key had a job already: this is it. Nothing new was submitted."
          : "Submitted.",
      );
      if (!late.isLeft()) navigate(jobPath(receipt.id));
    } catch (refusal) {
      if (!late.tell(refusal)) setThrown(refusal);
    } finally {
      setPending(false);
    }
  }
  return { submit, isPending, thrown };
}
