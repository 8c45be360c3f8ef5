import { I18nProvider, RouterProvider } from "react-aria-components";
import { Redirect, Route, Router, Switch, useLocation } from "wouter";
import { ActsPage } from "./acts/acts-page.tsx";
import { DoubtsPage } from "./doubts/doubts-page.tsx";
import { ResolveProvider } from "./doubts/resolve-dialog.tsx";
import { FailedPage } from "./failed/failed-page.tsx";
import { GuardedPage } from "./guarded/guarded-page.tsx";
import { OneGuarded } from "./guarded/one-guarded.tsx";
import { JobPage } from "./jobs/job-page.tsx";
import { JobsPage } from "./jobs/jobs-page.tsx";
import { NoticesPage } from "./notices/notices-page.tsx";
import { OutboxPage } from "./outbox/outbox-page.tsx";
import { OverviewPage } from "./overview/overview-page.tsx";
import { isCall, jobPath, To } from "./parts/link.tsx";
import { NoticeProvider } from "./parts/notice.tsx";
import { Page } from "./parts/page.tsx";
import { Empty } from "./parts/states.tsx";
import { SchedulesPage } from "./schedules/schedules-page.tsx";
import { SearchPage } from "./search/search-page.tsx";
import { LiveProvider } from "./service/live.tsx";
import { basePath } from "./service/place.ts";
import { Shell } from "./shell.tsx";

export function App() {
  return (
    <I18nProvider locale="en-US">
      <Router base={basePath}>
        <Linked />
      </Router>
    </I18nProvider>
  );
}

/** Makes React Aria's links use the router. */
function Linked() {
  const [, navigate] = useLocation();
  return (
    <RouterProvider navigate={(to) => navigate(to)} useHref={hrefOf}>
      <LiveProvider>
        <NoticeProvider>
          <ResolveProvider>
            <Shell>
              <Pages />
            </Shell>
          </ResolveProvider>
        </NoticeProvider>
      </LiveProvider>
    </RouterProvider>
  );
}

function Pages() {
  return (
    <Switch>
      <Route path="/" component={OverviewPage} />
      <Route path="/jobs" component={JobsPage} />
      <Route path="/jobs/:id">{({ id }) => <AnyJob key={id} id={decodeURIComponent(id)} />}</Route>
      <Route path="/guarded" component={GuardedPage} />
      <Route path="/guarded/:id">{({ id }) => <OneGuarded key={id} id={decodeURIComponent(id)} />}</Route>
      <Route path="/search" component={SearchPage} />
      <Route path="/failed" component={FailedPage} />
      <Route path="/doubts" component={DoubtsPage} />
      <Route path="/acts" component={ActsPage} />
      <Route path="/notices" component={NoticesPage} />
      <Route path="/outbox" component={OutboxPage} />
      <Route path="/schedules" component={SchedulesPage} />
      <Route path="/index.html">
        <Redirect to="/" replace />
      </Route>
      <Route>
        <NotFound />
      </Route>
    </Switch>
  );
}

/** Wherever a job has an id, a call of a guard can have one. */
function AnyJob({ id }: { readonly id: string }) {
  return isCall(id) ? <Redirect to={jobPath(id)} replace /> : <JobPage id={id} />;
}

function NotFound() {
  return (
    <Page title="No such page">
      <Empty title="There is nothing at this address.">
        <To to="/">Go to the overview</To>
      </Empty>
    </Page>
  );
}

function hrefOf(path: string): string {
  return `${basePath}${path}`;
}
