"""Whether the files of deploy/ for containers, Kubernetes and Cloud Foundry agree with each other and with the program.

    forms.py BINARY     prints a line for each thing that is right; ends with 1 at the first that isn't

Needs PyYAML; `tests/validators` prints a Python that has it. Nothing is started but BINARY, which reads each form's configuration.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

DEPLOY = pathlib.Path("deploy")

# What Cloud Controller takes of an app in a manifest (AppManifestMessage in cloud_controller_ng), and `path`, which the cf CLI takes.
APP_KEYS = set(
    """name buildpack buildpacks command default-route disk_quota docker env health-check-http-endpoint
    health-check-invocation-timeout health-check-interval health-check-type instances lifecycle log-rate-limit-per-second memory
    metadata no-route path processes random-route readiness-health-check-http-endpoint readiness-health-check-interval
    readiness-health-check-invocation-timeout readiness-health-check-type routes services sidecars stack timeout""".split()
)


def fail(what):
    print(f"error: {what}", file=sys.stderr)
    sys.exit(1)


def need(true, what):
    if not true:
        fail(what)


def documents(path):
    try:
        return [document for document in yaml.safe_load_all((DEPLOY / path).read_text()) if document is not None]
    except yaml.YAMLError as error:
        fail(f"{path} is no YAML: {error}")


def one(path):
    found = documents(path)
    need(len(found) == 1, f"{path} has {len(found)} documents")
    return found[0]


def parses():
    files = [path for ending in ("*.yml", "*.yaml") for path in sorted(DEPLOY.rglob(ending))]
    need(len(files) >= 15, f"only {len(files)} files found")
    for path in files:
        documents(path.relative_to(DEPLOY))
    print(f"ok {len(files)} files parse")


def rules():
    ours = one("prometheus/cf-billing.rules.yml")
    theirs = one("kubernetes/prometheus-operator/prometheus-rule.yaml")
    need(theirs["spec"] == ours, "the PrometheusRule says something else than the rules")
    print(f"ok the PrometheusRule has the {len(ours['groups'][0]['rules'])} rules")


def dockerfile():
    """Gives user and port of both images."""
    text = (DEPLOY / "docker/Dockerfile").read_text()
    finals = re.split(r"^FROM \S+ AS (?=static$|debian$)", text, flags=re.M)[1:]
    need(len(finals) == 2, "the Dockerfile hasn't two images")
    told = set()
    for final in finals:
        user, port = re.search(r"^USER (\d+):\1$", final, re.M), re.search(r"^EXPOSE (\d+)$", final, re.M)
        need(user and port, "an image has no user or no port")
        told.add((int(user[1]), int(port[1])))
    need(len(told) == 1, f"the two images differ: {told}")
    return told.pop()


def kubernetes(user, port):
    folder = "kubernetes/base"
    every = {document["kind"]: document for document in documents(f"{folder}/cf-billing.yaml")}
    job = one("kubernetes/ledger-init/job.yaml")
    template = every["StatefulSet"]["spec"]["template"]
    labels = template["metadata"]["labels"]
    selects = [
        every["StatefulSet"]["spec"]["selector"]["matchLabels"],
        every["Service"]["spec"]["selector"],
        every["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        every["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in selects:
        need(selector.items() <= labels.items(), f"{selector} doesn't select the replicas")
    need(selects[3].items() <= job["spec"]["template"]["metadata"]["labels"].items(), "the policy doesn't hold for the Job")
    for selector in selects[:3]:
        need(not selector.items() <= job["spec"]["template"]["metadata"]["labels"].items(), f"{selector} selects the Job, too")
    need(every["StatefulSet"]["spec"]["serviceName"] == every["Service"]["metadata"]["name"], "serviceName is no service")

    monitor = one("kubernetes/prometheus-operator/service-monitor.yaml")["spec"]
    need(monitor["selector"]["matchLabels"].items() <= every["Service"]["metadata"]["labels"].items(), "the ServiceMonitor selects nothing")
    container, ports = template["spec"]["containers"][0], every["Service"]["spec"]["ports"]
    listening = {entry["name"]: entry["containerPort"] for entry in container["ports"]}
    need(listening == {"metrics": port}, f"the replicas' ports are {listening}, the image has {port}")
    need([(entry["port"], entry["targetPort"]) for entry in ports] == [(port, "metrics")], "the Service has another port")
    need(monitor["endpoints"][0]["port"] == ports[0]["name"], "the ServiceMonitor names another port")
    allowed = [entry["port"] for rule in every["NetworkPolicy"]["spec"]["ingress"] for entry in rule["ports"]]
    need(allowed == [port], f"the NetworkPolicy lets {allowed} in")
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    need(environment["CF_BILLING__HTTP__METRICS_LISTEN"] == f"0.0.0.0:{port}", "metrics are served elsewhere")
    for probe, asked in (("livenessProbe", "/healthz"), ("startupProbe", "/healthz"), ("readinessProbe", "/servez")):
        need(container[probe]["httpGet"] == {"path": asked, "port": "metrics"}, f"{probe} asks something else")

    for of, pod in (("StatefulSet", template["spec"]), ("Job", job["spec"]["template"]["spec"])):
        context, own = pod["securityContext"], pod["containers"][0]["securityContext"]
        ids = {context[key] for key in ("runAsUser", "runAsGroup", "fsGroup")}
        need(ids == {user} and context["runAsNonRoot"], f"{of}: users are {ids}, the image has {user}")
        need(context["seccompProfile"] == {"type": "RuntimeDefault"}, f"{of}: no seccomp profile")
        need(own == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, f"{of}: {own}")
        names = {volume["name"] for volume in pod["volumes"]}
        names |= {claim["metadata"]["name"] for claim in every["StatefulSet"]["spec"]["volumeClaimTemplates"] if of != "Job"}
        mounted = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
        need(names == mounted, f"{of}: volumes {names}, mounted {mounted}")
    for path in ("base", "ledger-init", "prometheus-operator", "example"):
        kustomization = one(f"kubernetes/{path}/kustomization.yaml")
        for named in kustomization.get("resources", []) + kustomization.get("components", []):
            need((DEPLOY / "kubernetes" / path / named).exists(), f"{path} names {named}, which isn't there")
    print("ok the Kubernetes manifests agree with each other and with the image")
    return environment


def compose(port):
    told = one("docker/compose.yml")
    named, needed = set(told["volumes"]), set()
    for name, service in told["services"].items():
        need("image" in service, f"{name} has no image")
        need(service["image"] == "cf-billing" or ":" in service["image"], f"{name}: the image has no version")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            need(source in named or (DEPLOY / "docker" / source).exists(), f"{name} mounts {source}, which isn't there")
        needed |= set(re.findall(r"\$\{(\w+)", str(service)))
    asked = set(re.findall(r"^(\w+)=$", (DEPLOY / "docker/env.example").read_text(), re.M))
    need(asked == needed, f"env.example asks for {asked}, compose.yml needs {needed}")
    scraped = one("docker/prometheus.yml")["scrape_configs"][0]["dns_sd_configs"][0]
    need(scraped["port"] == port and set(scraped["names"]) <= set(told["services"]), f"Prometheus scrapes {scraped}")
    rules = {entry.rsplit(":", 2)[1] for entry in told["services"]["prometheus"]["volumes"] if entry.startswith("../")}
    need(rules == {f"/etc/prometheus/{one('docker/prometheus.yml')['rule_files'][0]}"}, f"the rules are mounted at {rules}")
    print("ok what compose.yml mounts and asks for is there")
    return told["services"]["cf-billing"]["environment"]


def cloud_foundry():
    app = one("cloud-foundry/manifest.yml")["applications"][0]
    unknown = set(app) - APP_KEYS
    need(not unknown, f"manifest.yml: Cloud Controller doesn't know {unknown}")
    need(app["command"].startswith("./start ") and os.access(DEPLOY / "cloud-foundry/start", os.X_OK), "there is no start to run")
    need(app["health-check-type"] == "http" and app["health-check-http-endpoint"] == "/healthz", "health is asked elsewhere")
    print("ok Cloud Controller knows every key of manifest.yml")
    return app["env"]


def configured(binary, form, environment, configuration):
    """Whether BINARY takes a form's variables and configuration. Where files are is the form's affair; what they hold isn't."""
    with tempfile.TemporaryDirectory() as folder:
        secret = pathlib.Path(folder, "secret")
        secret.write_text("postgres://nobody@127.0.0.1:1/none")
        secret.chmod(0o600)
        text = re.sub(r'rates = ".*"', f'rates = "{os.path.abspath("rates/standard.toml")}"', configuration)
        text = re.sub(r'client_secret_file = ".*"', f'client_secret_file = "{secret}"', text)
        # Nobody answers there, so nobody is waited for.
        text = re.sub(r'api = ".*"', 'api = "http://127.0.0.1:1"', text)
        file = pathlib.Path(folder, "cf-billing.toml")
        file.write_text(text)
        values = {name: str(secret) if name.endswith("_FILE") else str(value) for name, value in environment.items()}
        values = {name: re.sub(r"\$\{\w+:\?[^}]*\}|\(\(\w+\)\)", "x", value) for name, value in values.items()}
        values.setdefault("CF_BILLING__DATABASE__URL_FILE", str(secret))
        if "CF_BILLING__DATABASE__URL" in values:
            del values["CF_BILLING__DATABASE__URL_FILE"]
            values["CF_BILLING__DATABASE__URL"] = re.sub("@postgres/", "@127.0.0.1:1/", values["CF_BILLING__DATABASE__URL"])
        values |= {"HOME": folder, "CF_BILLING_CONFIG": str(file), "CF_BILLING__DATABASE__ACQUIRE_TIMEOUT": "100ms"}
        ran = subprocess.run([binary, "foundations", "list"], env=values, capture_output=True, text=True, timeout=60)
        # 1: nobody answers. 2: it is configured wrongly.
        need(ran.returncode == 1, f"{form}: it ended with {ran.returncode}\n{ran.stdout}{ran.stderr}")
    print(f"ok the program takes the configuration of {form}")


def main():
    binary = os.path.abspath(sys.argv[1])
    parses()
    rules()
    user, port = dockerfile()
    of_replicas = kubernetes(user, port)
    of_compose = compose(port)
    of_app = cloud_foundry()
    example = (DEPLOY / "kubernetes/example/cf-billing.toml").read_text()
    configured(binary, "Kubernetes", of_replicas, example)
    configured(binary, "compose", of_compose, (DEPLOY / "docker/cf-billing/cf-billing.toml").read_text())
    # The app's own file is whoever pushes it's; the example's will do, with the secret by variable.
    own = "\n".join(line for line in example.splitlines() if not line.startswith("client_secret_file"))
    configured(binary, "Cloud Foundry", of_app, own)


main()
