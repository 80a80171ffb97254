//! Frames as Parquet files, without Arrow: plain columns, of which each may lack values.

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::frame::{Column, Frame};

/// The file.
///
/// # Errors
/// What the library says, in words.
pub fn bytes(frame: &Frame) -> std::result::Result<Vec<u8>, String> {
    written(frame).map_err(|error| error.to_string())
}

fn written(frame: &Frame) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema(frame)?, Arc::default())?;
    let mut group = file.next_row_group()?;
    for (_, column) in &frame.columns {
        let Some(writer) = group.next_column()? else { break };
        match column {
            Column::Ints(values) => write::<Int64Type>(writer, values)?,
            Column::Floats(values) => write::<DoubleType>(writer, values)?,
            Column::Bools(values) => write::<BoolType>(writer, values)?,
            Column::Texts(values) => {
                let text = |value: &Option<String>| value.as_deref().map(ByteArray::from);
                write::<ByteArrayType>(writer, &values.iter().map(text).collect::<Vec<_>>())?;
            }
        }
    }
    group.close()?;
    file.close()?;
    Ok(bytes)
}

fn schema(frame: &Frame) -> Result<Arc<Type>> {
    let mut fields = Vec::with_capacity(frame.columns.len());
    for (name, column) in &frame.columns {
        let (physical, logical) = match column {
            Column::Ints(_) => (Physical::INT64, None),
            Column::Floats(_) => (Physical::DOUBLE, None),
            Column::Bools(_) => (Physical::BOOLEAN, None),
            Column::Texts(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let field = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()?;
        fields.push(Arc::new(field));
    }
    Type::group_type_builder("schema").with_fields(fields).build().map(Arc::new)
}

/// Writes the values that are there, and for each row whether there is one.
fn write<T: DataType>(
    mut writer: SerializedColumnWriter<'_>,
    values: &[Option<T::T>],
) -> Result<()> {
    let levels: Vec<i16> = values.iter().map(|value| value.is_some().into()).collect();
    let there: Vec<T::T> = values.iter().flatten().cloned().collect();
    writer.typed::<T>().write_batch(&there, Some(&levels), None)?;
    writer.close()
}
