"""Reads FOCUS files as CSV and as Parquet, and says what differs or breaks a rule of FOCUS's arithmetic; then, for each
invoice, what its rows come to. Arguments: CSV file, Parquet file."""

import decimal
import importlib.resources
import json
import sys
from decimal import Decimal

import pyarrow as arrow
import pyarrow.csv
import pyarrow.parquet

decimal.getcontext().prec = 80
parquet = arrow.parquet.read_table(sys.argv[2])
convert = arrow.csv.ConvertOptions(
    column_types=parquet.schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
)
text = arrow.csv.read_csv(sys.argv[1], convert_options=convert)

problems = []
if text.column_names != parquet.column_names:
    problems.append("the columns differ")
for name in parquet.column_names:
    if text[name].to_pylist() != parquet[name].to_pylist():
        problems.append(f"{name} differs")

# What may stand in a column; the validator itself passes other values.
rules = json.loads((importlib.resources.files("focus_validator") / "rules" / "model-1.2.json").read_text())["ModelRules"]
choices = lambda rule: rules[rule]["ValidationCriteria"]["Requirement"]["Items"]
allowed = {
    name: {choice["Value"] for choice in choices(f"{name}-C-{rule}-M")}
    for name, rule in [
        ("ChargeCategory", "003"),
        ("ChargeFrequency", "003"),
        ("PricingCategory", "007"),
        ("CommitmentDiscountCategory", "005"),
        ("ServiceCategory", "003"),
        ("ServiceSubcategory", "003"),
    ]
}
# The model has others of another version here.
allowed["CommitmentDiscountStatus"] = {"Used", "Unused"}
pairs = {tuple(item["Value"] for item in choice["Items"]) for choice in choices("ServiceSubcategory-C-004-M")}

sums, groups = {}, pyarrow.parquet.ParquetFile(sys.argv[2]).num_row_groups
for number, row in enumerate(parquet.to_pylist()):
    of_invoice = sums.setdefault(row["InvoiceId"], [Decimal(0), Decimal(0)])
    of_invoice[0] += row["BilledCost"]
    of_invoice[1] += row["EffectiveCost"]
    correction = row["ChargeClass"] == "Correction"
    bought = row["ChargeCategory"] in ("Usage", "Purchase") and not correction and not row["x_Unpriced"]
    say = lambda what: problems.append(f"row {number} ({row['ChargeDescription']}): {what}")
    for name, values in allowed.items():
        if row[name] is not None and row[name] not in values:
            say(f"{name} is {row[name]}")
    if (row["ServiceSubcategory"], row["ServiceCategory"]) not in pairs:
        say("ServiceSubcategory is of another category")
    for cost, price in [("ListCost", "ListUnitPrice"), ("ContractedCost", "ContractedUnitPrice")]:
        if row[price] is not None and row["PricingQuantity"] is not None and not correction:
            if row[price] * row["PricingQuantity"] != row[cost]:
                say(f"{cost} isn't {price} × PricingQuantity")
    for name in "ListUnitPrice ContractedUnitPrice SkuId SkuPriceId PricingQuantity PricingUnit PricingCategory".split():
        if bought and row[name] is None:
            say(f"no {name}")
        if row["ChargeCategory"] == "Tax" and row[name] is not None:
            say(f"tax with {name}")
    if (row["ConsumedQuantity"] is not None) != (
        row["ChargeCategory"] == "Usage" and not correction and row["CommitmentDiscountStatus"] != "Unused"
    ):
        say("ConsumedQuantity")
    for one, other in [
        ("PricingQuantity", "PricingUnit"),
        ("ConsumedQuantity", "ConsumedUnit"),
        ("CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
        ("ResourceId", "ResourceType"),
        ("RegionId", "RegionName"),
        ("SubAccountId", "SubAccountType"),
    ]:
        if (row[one] is None) != (row[other] is None):
            say(f"{one} without {other}")
    if row["CommitmentDiscountStatus"] == "Used" and row["BilledCost"] != 0:
        say("covered, and billed")
    if row["ChargeCategory"] == "Purchase" and row["EffectiveCost"] != 0:
        say("a purchase costs by itself")
    if not row["ChargePeriodStart"] < row["ChargePeriodEnd"]:
        say("no charge period")

print(f"{parquet.num_rows} rows in {groups} group(s)")
for problem in problems[:20]:
    print(f"problem: {problem}")
for invoice, (billed, effective) in sorted(sums.items(), key=str):
    print(f"{invoice}: {billed.normalize():f} {effective.normalize():f}")
