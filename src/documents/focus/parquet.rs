//! Rows as Parquet, a group of them at a time.
//! Owns the schema and what waits for its group; never more of it than one group.

use std::io::Write;
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::{ByteArray, FixedLenByteArray};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::Type;

use super::{Cell, Column, ColumnType, DocumentError, FocusRow, failed};

/// Some 25 MB.
const ROWS_OF_A_GROUP: usize = 16_384;
/// Of every decimal, in 16 bytes.
const DIGITS: i32 = 38;

/// See [`super::Writer`].
#[derive(Debug)]
pub(super) struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
    waiting: Vec<Waiting>,
    rows: usize,
}

/// What waits in one column.
#[derive(Debug)]
struct Waiting {
    column: Column,
    values: Values,
    /// For each row 1, or 0 for null.
    levels: Vec<i16>,
}

#[derive(Debug)]
enum Values {
    Text(Vec<Arc<str>>),
    Decimal(u32, Vec<i128>),
    /// Also instants, in microseconds.
    Integer(Vec<i64>),
    Boolean(Vec<bool>),
}

impl<W: Write + Send> Writer<W> {
    pub fn new(to: W) -> Result<Self, DocumentError> {
        let fields = Column::ALL.iter().map(|column| field(*column).map(Arc::new)).collect::<Result<_, _>>();
        let schema = fields.and_then(|fields| Type::group_type_builder("focus").with_fields(fields).build());
        let schema = Arc::new(schema.map_err(failed)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("cf-billing".to_owned())
            .build();
        let file = SerializedFileWriter::new(to, schema, Arc::new(properties)).map_err(failed)?;
        Ok(Self { file, waiting: Column::ALL.iter().map(|column| Waiting::of(*column)).collect(), rows: 0 })
    }

    pub fn write(&mut self, row: FocusRow) -> Result<(), DocumentError> {
        for (waiting, cell) in self.waiting.iter_mut().zip(row.into_cells()) {
            waiting.push(cell)?;
        }
        self.rows += 1;
        if self.rows == ROWS_OF_A_GROUP { self.write_group().map_err(failed) } else { Ok(()) }
    }

    pub fn finish(mut self) -> Result<(), DocumentError> {
        if self.rows > 0 {
            self.write_group().map_err(failed)?;
        }
        self.file.finish().map(|_| ()).map_err(failed)
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        for waiting in &mut self.waiting {
            let missing = || ParquetError::General(format!("no place for {}", waiting.column.name()));
            let mut writer = group.next_column()?.ok_or_else(missing)?;
            let full = std::mem::replace(waiting, Waiting::of(waiting.column));
            full.write(writer.untyped())?;
            writer.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Waiting {
    const fn of(column: Column) -> Self {
        let values = match column.kind() {
            ColumnType::Text => Values::Text(Vec::new()),
            ColumnType::Decimal(scale) => Values::Decimal(scale, Vec::new()),
            ColumnType::Integer | ColumnType::Time => Values::Integer(Vec::new()),
            ColumnType::Boolean => Values::Boolean(Vec::new()),
        };
        Self { column, values, levels: Vec::new() }
    }

    fn push(&mut self, cell: Cell) -> Result<(), DocumentError> {
        let wrong = || failed(format!("`{}` holds something else than it should", self.column.name()));
        let is_null = cell == Cell::Null;
        match (&mut self.values, cell) {
            (_, Cell::Null) if self.column.is_nullable() => {}
            (Values::Text(values), Cell::Text(text)) => values.push(text),
            (Values::Decimal(scale, values), Cell::Decimal(number)) => {
                values.push(number.in_units_of(*scale).map_err(failed)?);
            }
            (Values::Integer(values), Cell::Integer(number)) => values.push(number),
            (Values::Integer(values), Cell::Time(at)) => values.push(at.unix() * 1_000_000),
            (Values::Boolean(values), Cell::Boolean(value)) => values.push(value),
            _ => return Err(wrong()),
        }
        self.levels.push(i16::from(!is_null));
        Ok(())
    }

    fn write(self, writer: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = self.column.is_nullable().then_some(self.levels.as_slice());
        match (self.values, writer) {
            (Values::Text(values), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                let bytes: Vec<ByteArray> = values.iter().map(|text| ByteArray::from(&**text)).collect();
                writer.write_batch(&bytes, levels, None)
            }
            (Values::Decimal(_, values), ColumnWriter::FixedLenByteArrayColumnWriter(writer)) => {
                let bytes = |value: &i128| FixedLenByteArray::from(value.to_be_bytes().to_vec());
                let bytes: Vec<FixedLenByteArray> = values.iter().map(bytes).collect();
                writer.write_batch(&bytes, levels, None)
            }
            (Values::Integer(values), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(&values, levels, None)
            }
            (Values::Boolean(values), ColumnWriter::BoolColumnWriter(writer)) => {
                writer.write_batch(&values, levels, None)
            }
            _ => Err(ParquetError::General(format!("`{}` is of another type", self.column.name()))),
        }
        .map(|_| ())
    }
}

fn field(column: Column) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.kind() {
        ColumnType::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnType::Decimal(scale) => {
            let scale = i32::try_from(scale).unwrap_or(DIGITS);
            let decimal = Type::primitive_type_builder(column.name(), Physical::FIXED_LEN_BYTE_ARRAY)
                .with_length(16)
                .with_precision(DIGITS)
                .with_scale(scale)
                .with_logical_type(Some(LogicalType::decimal(scale, DIGITS)));
            return decimal.with_repetition(repetition(column)).build();
        }
        ColumnType::Integer => (Physical::INT64, None),
        ColumnType::Boolean => (Physical::BOOLEAN, None),
        ColumnType::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
    };
    let builder = Type::primitive_type_builder(column.name(), physical).with_logical_type(logical);
    builder.with_repetition(repetition(column)).build()
}

const fn repetition(column: Column) -> Repetition {
    if column.is_nullable() { Repetition::OPTIONAL } else { Repetition::REQUIRED }
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::super::Exact;
    use super::{Cell, Column, ColumnType, FocusRow, ROWS_OF_A_GROUP, Writer};
    use crate::domain::Timestamp;

    fn row() -> FocusRow {
        let mut row = FocusRow::empty();
        for column in Column::ALL {
            let cell = match column.kind() {
                ColumnType::Text => Cell::from("text"),
                ColumnType::Decimal(_) => Cell::from(Exact::ONE),
                ColumnType::Integer => Cell::Integer(1),
                ColumnType::Boolean => Cell::from(true),
                ColumnType::Time => Cell::from(Timestamp::from_unix(1)),
            };
            row.set(*column, cell);
        }
        row
    }

    #[test]
    fn a_group_ends_when_it_is_full() {
        for (rows, groups) in [(0, 0), (1, 1), (ROWS_OF_A_GROUP, 1), (ROWS_OF_A_GROUP + 1, 2)] {
            let mut bytes = Vec::new();
            let mut writer = Writer::new(&mut bytes).unwrap();
            for _ in 0..rows {
                writer.write(row()).unwrap();
            }
            writer.finish().unwrap();
            let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
            assert_eq!(reader.metadata().file_metadata().num_rows(), i64::try_from(rows).unwrap());
            assert_eq!(reader.num_row_groups(), groups, "{rows} rows");
        }
    }

    #[test]
    fn what_does_not_fit_a_column_is_refused() {
        let mut writer = Writer::new(Vec::new()).unwrap();
        for (column, cell) in [
            (Column::BilledCost, Cell::Null),
            (Column::BilledCost, Cell::from("1")),
            (Column::BilledCost, Cell::from(Exact::new(1, 13))),
            (Column::InvoiceId, Cell::Integer(1)),
        ] {
            let mut wrong = row();
            wrong.set(column, cell.clone());
            assert!(writer.write(wrong).is_err(), "{cell:?}");
        }
        let mut right = row();
        right.set(Column::BilledCost, Exact::new(1, 12));
        right.set(Column::InvoiceId, Cell::Null);
        assert!(Writer::new(Vec::new()).unwrap().write(right).is_ok());
    }
}
