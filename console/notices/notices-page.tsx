import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Button } from "react-aria-components";
import { counted } from "../parts/format.ts";
import { Text } from "../parts/link.tsx";
import { Mark } from "../parts/mark.tsx";
import { useNotice } from "../parts/notice.tsx";
import { Page, Scroller } from "../parts/page.tsx";
import { Empty, Loaded, ProblemNote } from "../parts/states.tsx";
import { Age, Relative } from "../parts/time.tsx";
import type { Notices } from "../service/answers.ts";
import { service } from "../service/call.ts";
import { useMay } from "../service/session.ts";

const SHOWN = 100;
const READ_AGAIN_MS = 5_000;

function noticesQuery() {
  return queryOptions({
    queryKey: ["notices"],
    queryFn: () => service.notices(SHOWN),
    refetchInterval: READ_AGAIN_MS,
  });
}

/** Who is told what, what there is to tell now, and what was told. */
export function NoticesPage() {
  const notices = useQuery(noticesQuery());
  return (
    <Page title="Notices" lead="Who is told what needs a person, and what was told." guide="notices.md">
      <Loaded query={notices}>
        {(found) => (
          <>
            <Receivers of={found.receivers} />
            <Open of={found.open} isTold={found.receivers.length > 0} />
            <Sent of={found.sent} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Receivers({ of }: { readonly of: Notices["receivers"] }) {
  if (of.length === 0)
    return (
      <Empty title="Nobody is told.">
        Name receivers in the application’s configuration, under <code>notices</code>: a URL, Slack, or mail.
      </Empty>
    );
  return (
    <section className="section" aria-label="Receivers">
      <div className="section-head">
        <h2>Who is told</h2>
        <Test />
      </div>
      <Scroller label="Receivers, table">
        <table className="figures texts">
          <thead>
            <tr>
              <th scope="col">Receiver</th>
              <th scope="col">By</th>
              <th scope="col">Of what</th>
            </tr>
          </thead>
          <tbody>
            {of.map(({ name, by, kinds }) => (
              <tr key={name}>
                <th scope="row">
                  <Text of={name} />
                </th>
                <td>
                  <Text of={by} />
                </td>
                <td>{kinds.join(", ")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroller>
    </section>
  );
}

/** Sends each receiver a test, as every notice is sent. */
function Test() {
  const client = useQueryClient();
  const notice = useNotice();
  const test = useMutation({
    mutationFn: () => service.testNotices({}),
    async onSuccess(sent) {
      notice(
        `A test is on its way to ${counted(sent.length, "receiver")}: whether it got there shows below.`,
      );
      await client.invalidateQueries({ queryKey: noticesQuery().queryKey });
    },
  });
  if (!useMay("operate")) return null;
  return (
    <>
      <Button className="button small" isPending={test.isPending} onPress={() => test.mutate()}>
        Send a test
      </Button>
      {test.error !== null && <ProblemNote thrown={test.error} />}
    </>
  );
}

interface OpenProps {
  readonly of: Notices["open"];
  readonly isTold: boolean;
}

function Open({ of, isTold }: OpenProps) {
  return (
    <section className="section" aria-label="What there is to tell">
      <div className="section-head">
        <h2>What there is to tell now</h2>
      </div>
      {of.length === 0 ? (
        <p className="quiet">{isTold ? "Nothing: nobody has to be told." : "Nothing is looked for."}</p>
      ) : (
        <ul className="needs">
          {of.map(({ kind, subject, title, since, toldAt }) => (
            <li key={`${kind} ${subject}`}>
              <div>
                <Text of={title} />{" "}
                <span className="quiet">
                  for <Age at={since} /> ·{" "}
                  {toldAt === null ? (
                    "not told yet: it is gathered for ten seconds"
                  ) : (
                    <>
                      told <Relative at={toldAt} />
                    </>
                  )}
                </span>
              </div>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Sent({ of }: { readonly of: Notices["sent"] }) {
  return (
    <section className="section" aria-label="What was told">
      <div className="section-head">
        <h2>What was told</h2>
      </div>
      {of.length === 0 ? (
        <p className="quiet">Nothing yet.</p>
      ) : (
        <Scroller label="What was told, table">
          <table className="figures texts">
            <thead>
              <tr>
                <th scope="col">Notice</th>
                <th scope="col">To</th>
                <th scope="col">When</th>
                <th scope="col">Became of it</th>
              </tr>
            </thead>
            <tbody>
              {of.map((sent) => (
                <tr key={sent.id}>
                  <th scope="row">
                    <Text of={sent.title} />
                  </th>
                  <td>
                    <Text of={sent.receiver} />
                  </td>
                  <td>
                    <Relative at={sent.at} />
                  </td>
                  <td>
                    <Became of={sent} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroller>
      )}
    </section>
  );
}

/** Whether it got there. */
function Became({ of: { state, attempts, error } }: { readonly of: Notices["sent"][number] }) {
  if (state === "delivered") return <Mark of="done" text="delivered" />;
  return (
    <span className="two-lines">
      {state === "failed" ? (
        <Mark of="failed" text="never got there" />
      ) : (
        <Mark of="waiting" text="on its way" />
      )}
      {error !== null && (
        <span className="quiet">
          after {counted(attempts, "try", "tries")}: <Text of={error} />
        </span>
      )}
    </span>
  );
}
