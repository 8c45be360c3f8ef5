import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button, FieldError, Input, Label, TextField } from "react-aria-components";
import { useLocation } from "wouter";
import { Window } from "../parts/dialog.tsx";
import { prettyJson } from "../parts/format.ts";
import { JsonField, parseJson, REDACTED } from "../parts/json-field.tsx";
import { JobLink, jobPath, Text } from "../parts/link.tsx";
import { useNotice } from "../parts/notice.tsx";
import { ProblemNote } from "../parts/states.tsx";
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
        <div>
          <dt>Repeats</dt>
          <dd>
            <JobLink id={earlier} />
          </dd>
        </div>
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
  if (!useMay("submit")) return null;
  return (
    <>
      <Button className="button" onPress={() => setOpen(true)}>
        Edit and submit again…
      </Button>
      <Window title="Submit again, as a new job" isOpen={isOpen} onClose={() => setOpen(false)}>
        <Form job={job} onClose={() => setOpen(false)} />
      </Window>
    </>
  );
}

function Form({ job, onClose }: { readonly job: JobDetail; readonly onClose: () => void }) {
  const [key, setKey] = useState(`${job.idempotencyKey}-again`);
  const [payload, setPayload] = useState(prettyJson(job.payload));
  const { submit, isPending, thrown } = useSubmit(job, onClose);
  const parsed = parseJson(payload);
  const isSameKey = key === job.idempotencyKey;
  const isRedacted = payload.includes(REDACTED);
  const isReady = parsed !== undefined && !isSameKey && key !== "" && !isRedacted;

  function onSubmit(event: FormEvent) {
    event.preventDefault();
    if (isReady) void submit(key, parsed.value);
  }

  return (
    <form onSubmit={onSubmit} className="resolve-form">
      <p>
        A new job of the type <Text of={job.type} />. Nothing that <Text of={job.idempotencyKey} /> did is
        undone, and its effects may happen again.
      </p>
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
      {thrown !== null && <ProblemNote thrown={thrown} />}
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

function useSubmit({ id, type, tags }: JobDetail, onClose: () => void) {
  const client = useQueryClient();
  const notice = useNotice();
  const [, navigate] = useLocation();
  const [isPending, setPending] = useState(false);
  const [thrown, setThrown] = useState<unknown>(null);

  async function submit(idempotencyKey: string, payload: unknown) {
    const own = tags.filter((tag) => !tag.startsWith(AGAIN)).slice(0, TAGS_MAX - 1);
    const again = { idempotencyKey, tags: [...own, againTag(id)] };
    setPending(true);
    setThrown(null);
    try {
      const receipt = await service.submit(type, payload, again);
      await client.invalidateQueries({ queryKey: ["jobs"] });
      onClose();
      notice(
        receipt.duplicate
          ? "That key had a job already: this is it. Nothing new was submitted."
          : "Submitted.",
      );
      navigate(jobPath(receipt.id));
    } catch (refusal) {
      setThrown(refusal);
    } finally {
      setPending(false);
    }
  }
  return { submit, isPending, thrown };
}
