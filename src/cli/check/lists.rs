//! `check`: every list and query that `run` reads beside the streams, read as `run` reads it. Only reads.

use std::collections::HashSet;

use super::{Checked, Verdict};
use crate::cloud_controller::{ApiError, Client, ErrorKind, GUIDS_PER_REQUEST, Listed, Task};
use crate::domain::{Guid, RowList};

/// Builds are asked for since then, in seconds.
const BUILDS_SECONDS: i64 = 3600;

/// What was read, as far as it went.
struct Lists<'a> {
    checked: &'a mut Checked,
    foundation: &'a str,
    read: Vec<String>,
    failed: bool,
    /// What fails in passing fails for the next list, too.
    over: bool,
    /// Rows that were told of.
    unreadable: HashSet<(RowList, Guid)>,
}

impl Lists<'_> {
    async fn take<T>(&mut self, what: &str, listed: impl Future<Output = Result<Listed<T>, ApiError>>) -> Vec<T> {
        if self.over {
            return Vec::new();
        }
        match listed.await {
            Ok(listed) => {
                self.read.push(format!("{} {what}", listed.rows.len()));
                for row in listed.unreadable.iter().filter(|row| self.unreadable.insert((row.list, row.guid.clone()))) {
                    let told = format!(
                        "/v3/{}/{} can't be read: {}\nhint: it counts as present and unchanged, and invoices of its months wait for acceptance; tell the operators of Cloud Controller",
                        row.list.name(),
                        row.guid,
                        row.reason
                    );
                    self.checked.say(Verdict::Warn, Some(self.foundation), "lists", told);
                }
                listed.rows
            }
            Err(error) => {
                self.failed = true;
                // Their own refusal is of this list; whatever else is in the way is in the way of all.
                let own = [ErrorKind::Forbidden, ErrorKind::NoRoute, ErrorKind::NotFound, ErrorKind::Refused];
                self.over = !own.contains(&error.kind) && error.kind != ErrorKind::InvalidBody;
                self.checked.say(Verdict::Fail, Some(self.foundation), "lists", error);
                Vec::new()
            }
        }
    }
}

/// Rows by guid: an empty filter would ask for everything, or be refused.
async fn some_of<T>(
    guids: &[Guid],
    ask: impl AsyncFnOnce(&[Guid]) -> Result<Listed<T>, ApiError>,
) -> Result<Listed<T>, ApiError> {
    if guids.is_empty() { Ok(Listed::default()) } else { ask(guids).await }
}

/// Reads every list whole, and asks for some rows of each by their guids.
pub(super) async fn check(checked: &mut Checked, foundation: &str, client: &Client) {
    let mut lists =
        Lists { checked, foundation, read: Vec::new(), failed: false, over: false, unreadable: HashSet::new() };
    let apps = lists.take("apps", async { Ok(client.all_apps().await?.value) }).await;
    let processes = lists.take("processes", client.all_processes()).await;
    let tasks = lists.take("running tasks", client.running_tasks()).await;
    let instances = lists.take("service instances", client.all_service_instances()).await;
    lists.take("service plans", client.all_service_plans()).await;
    let spaces = lists.take("spaces", client.all_spaces()).await;

    let some = |guids: Vec<Guid>| guids.into_iter().take(GUIDS_PER_REQUEST).collect::<Vec<_>>();
    let now = client.last_date();
    lists.take("changed processes", async { Ok(client.processes_updated_since(now).await?.value) }).await;
    let apps_without_droplets = apps.iter().filter(|app| app.relationships.current_droplet.is_none()).count();
    let droplets = apps.iter().filter_map(|app| app.relationships.current_droplet.as_ref()?.guid().cloned());
    let droplets = some(droplets.collect());
    lists.take("droplets", some_of(&droplets, async |guids| client.droplets(guids).await)).await;
    let app_guids = some(apps.iter().map(|app| app.guid.clone()).collect());
    let since = now.plus(-BUILDS_SECONDS);
    let builds = some_of(&app_guids, async |guids| Ok(client.builds(guids, since).await?.value));
    lists.take("builds", builds).await;
    let organizations = spaces.iter().filter_map(|space| space.relationships.organization.guid().cloned());
    let organizations = some(organizations.collect());
    let organizations = some_of(&organizations, async |guids| client.organizations(guids).await);
    lists.take("organizations", organizations).await;
    let one = processes.first().map(|process| process.guid.clone());
    // By guid they were read above; here only whether such a query is taken counts.
    let told = lists.read.join(", ");
    let by_guid = async {
        some_of(&app_guids, async |guids| client.apps(guids).await).await?;
        let processes = some(processes.into_iter().map(|row| row.guid).collect());
        some_of(&processes, async |guids| Ok(client.processes(guids).await?.value)).await?;
        let tasks = some(tasks.into_iter().map(|row| row.guid).collect());
        some_of(&tasks, async |guids| Ok(client.tasks(guids).await?.value)).await?;
        let instances = some(instances.into_iter().map(|row| row.guid).collect());
        some_of(&instances, async |guids| Ok(client.service_instances(guids).await?.value)).await?;
        Ok(Listed::<Task>::default())
    };
    lists.take("", by_guid).await;
    let (failed, over) = (lists.failed, lists.over);
    // Of docker apps only, and a look does without; what it can't tell then is assumed.
    if let Some(process) = one.filter(|_| !over)
        && let Err(error) = client.process_stats(&process).await
        && error.kind != ErrorKind::NotFound
    {
        let told = format!("can't read whether a docker app's processes run, so it is assumed: {error}");
        checked.say(Verdict::Warn, Some(foundation), "lists", told);
    }
    if !failed {
        checked.say(Verdict::Ok, Some(foundation), "lists", told);
    }
    if let Some(most) = client.most_rows() {
        let told = format!(
            "Cloud Controller gives at most {most} rows of a list (cc.renderer.max_total_results): lists are read in parts, by time\n\
             hint: nothing needs to be done, unless that many rows were made in one second; operators of Cloud Controller can raise the limit"
        );
        checked.say(Verdict::Warn, Some(foundation), "lists", told);
    }
    if apps_without_droplets > 0 {
        let told = format!(
            "{apps_without_droplets} app(s) don't name their current droplet (a release before mid-2024): it is read app by app\n\
             hint: nothing needs to be done; with very many apps the newest droplet counts as the current one"
        );
        checked.say(Verdict::Warn, Some(foundation), "lists", told);
    }
    if client.is_without_event_times() {
        let told = "usage events can't be filtered by time (an older release): reading begins at an earlier event\n\
                    hint: nothing needs to be done; sweeps take more requests";
        checked.say(Verdict::Warn, Some(foundation), "events", told);
    }
}
