//! What may stand in a column: its Arrow type, how values become an array, and back.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Int64Builder, ListBuilder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, GenericListArray};
use arrow_schema::{DataType, Field, TimeUnit};
use serde_json::Value as Json;

use crate::time::Time;

/// Iceberg wants an id for a list's element too; they stand 1,000 apart per depth.
const ELEMENT_IDS: i32 = 1_000;
const FIELD_ID: &str = "PARQUET:field_id";

/// A text that many rows share.
pub type Text = Arc<str>;
/// Texts that many rows share.
pub type Texts = Arc<[String]>;

/// A type that a column may have.
pub(crate) trait Value: Sized {
    /// Whether the column may hold NULL.
    const NULLABLE: bool = false;
    /// The column's type; `id` is the column's field id.
    fn data_type(id: i32) -> DataType;
    /// The values as an array.
    fn array(id: i32, values: &mut dyn Iterator<Item = &Self>) -> ArrayRef;
    /// The value in a row of an array; `None` where the array is of another type or it is NULL.
    fn read(array: &dyn Array, row: usize) -> Option<Self>;
    /// The value for `--json`.
    fn json(&self) -> Json;
}

/// The field of a column.
pub(crate) fn field<V: Value>(id: i32, name: &str) -> Field {
    with_id(Field::new(name, V::data_type(id), V::NULLABLE), id)
}

fn with_id(field: Field, id: i32) -> Field {
    field.with_metadata(HashMap::from([(FIELD_ID.to_owned(), id.to_string())]))
}

fn element(id: i32, of: DataType) -> Arc<Field> {
    Arc::new(with_id(Field::new("element", of, true), id))
}

macro_rules! flat {
    ($type:ty, $data_type:expr, $builder:expr, $put:expr, $get:expr, $json:expr) => {
        impl Value for $type {
            fn data_type(_id: i32) -> DataType {
                $data_type
            }

            fn array(_id: i32, values: &mut dyn Iterator<Item = &Self>) -> ArrayRef {
                let mut builder = $builder;
                values.for_each(|value| builder.append_value($put(value)));
                Arc::new(builder.finish())
            }

            fn read(array: &dyn Array, row: usize) -> Option<Self> {
                if array.is_null(row) { None } else { $get(array, row) }
            }

            fn json(&self) -> Json {
                $json(self)
            }
        }

        impl Value for Option<$type> {
            const NULLABLE: bool = true;

            fn data_type(_id: i32) -> DataType {
                $data_type
            }

            fn array(_id: i32, values: &mut dyn Iterator<Item = &Self>) -> ArrayRef {
                let mut builder = $builder;
                values.for_each(|value| builder.append_option(value.as_ref().map($put)));
                Arc::new(builder.finish())
            }

            fn read(array: &dyn Array, row: usize) -> Option<Self> {
                <$type>::read(array, row).map(Some)
            }

            fn json(&self) -> Json {
                self.as_ref().map_or(Json::Null, $json)
            }
        }
    };
}

flat!(
    String,
    DataType::Utf8,
    StringBuilder::new(),
    String::as_str,
    |array: &dyn Array, row| Some(array.as_string_opt::<i32>()?.value(row).to_owned()),
    |text: &String| Json::from(text.as_str())
);
flat!(
    Text,
    DataType::Utf8,
    StringBuilder::new(),
    Text::as_ref,
    |array: &dyn Array, row| Some(array.as_string_opt::<i32>()?.value(row).into()),
    |text: &Text| Json::from(text.as_ref())
);
flat!(
    i64,
    DataType::Int64,
    Int64Builder::new(),
    |number: &i64| *number,
    |array: &dyn Array, row| Some(array.as_primitive_opt::<Int64Type>()?.value(row)),
    |number: &i64| Json::from(*number)
);
flat!(
    bool,
    DataType::Boolean,
    BooleanBuilder::new(),
    |yes: &bool| *yes,
    |array: &dyn Array, row| Some(array.as_boolean_opt()?.value(row)),
    |yes: &bool| Json::from(*yes)
);
flat!(
    Time,
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    TimestampMicrosecondBuilder::new().with_timezone("UTC"),
    |time: &Time| time.0,
    |array: &dyn Array, row| {
        Some(Time(array.as_primitive_opt::<TimestampMicrosecondType>()?.value(row)))
    },
    |time: &Time| Json::from(time.rfc3339())
);
flat!(
    Vec<u8>,
    DataType::Binary,
    BinaryBuilder::new(),
    Vec::as_slice,
    |array: &dyn Array, row| Some(array.as_binary_opt::<i32>()?.value(row).to_owned()),
    |bytes: &Vec<u8>| Json::from(hex(bytes))
);

fn strings(id: i32) -> ListBuilder<StringBuilder> {
    ListBuilder::new(StringBuilder::new()).with_field(element(id + ELEMENT_IDS, DataType::Utf8))
}

fn list(array: &dyn Array, row: usize) -> Option<ArrayRef> {
    let lists: &GenericListArray<i32> = array.as_list_opt::<i32>()?;
    (!lists.is_null(row)).then(|| lists.value(row))
}

macro_rules! listed {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn data_type(id: i32) -> DataType {
                DataType::List(element(id + ELEMENT_IDS, DataType::Utf8))
            }

            fn array(id: i32, values: &mut dyn Iterator<Item = &Self>) -> ArrayRef {
                let mut builder = strings(id);
                values.for_each(|texts| builder.append_value(texts.iter().map(Some)));
                Arc::new(builder.finish())
            }

            fn read(array: &dyn Array, row: usize) -> Option<Self> {
                let items = list(array, row)?;
                (0..items.len()).map(|at| String::read(&items, at)).collect()
            }

            fn json(&self) -> Json {
                self.iter().map(String::as_str).collect()
            }
        }
    )*};
}
listed!(Vec<String>, Texts);

impl Value for Vec<Option<String>> {
    fn data_type(id: i32) -> DataType {
        Vec::<String>::data_type(id)
    }

    fn array(id: i32, values: &mut dyn Iterator<Item = &Self>) -> ArrayRef {
        let mut builder = strings(id);
        values.for_each(|texts| builder.append_value(texts.iter().map(Option::as_deref)));
        Arc::new(builder.finish())
    }

    fn read(array: &dyn Array, row: usize) -> Option<Self> {
        let items = list(array, row)?;
        Some((0..items.len()).map(|at| String::read(&items, at)).collect())
    }

    fn json(&self) -> Json {
        self.iter().map(|text| text.clone().map_or(Json::Null, Json::from)).collect()
    }
}

impl Value for Vec<Vec<Option<String>>> {
    fn data_type(id: i32) -> DataType {
        DataType::List(element(id + 2 * ELEMENT_IDS, Vec::<String>::data_type(id)))
    }

    fn array(id: i32, values: &mut dyn Iterator<Item = &Self>) -> ArrayRef {
        let inner = element(id + 2 * ELEMENT_IDS, Vec::<String>::data_type(id));
        let mut builder = ListBuilder::new(strings(id)).with_field(inner);
        for grid in values {
            grid.iter().for_each(|cells| {
                builder.values().append_value(cells.iter().map(Option::as_deref));
            });
            builder.append(true);
        }
        Arc::new(builder.finish())
    }

    fn read(array: &dyn Array, row: usize) -> Option<Self> {
        let items = list(array, row)?;
        (0..items.len()).map(|at| Vec::<Option<String>>::read(&items, at)).collect()
    }

    fn json(&self) -> Json {
        self.iter().map(Value::json).collect()
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}
