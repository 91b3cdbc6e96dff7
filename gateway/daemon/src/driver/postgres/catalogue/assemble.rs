//! Makes a catalogue of what was read: classes spread to views, to what inherits, to generated columns.

use weir_classify::Row;
use weir_model::{Class, ColumnRef};

use super::Catalogue;

/// `text`, `character varying`, `character(n)`: types of which no value is cut when it is taken as text.
const TEXTS: [&str; 3] = ["25", "1043", "1042"];
/// Ordinary and partitioned tables.
const TABLES: [&str; 2] = ["r", "p"];

/// Puts the results together: columns, dependencies, inheritance, generated columns.
pub(super) fn assemble(
    results: &[Vec<Row>],
    classes: impl Fn(&str, &str, &str) -> Vec<Class>,
) -> Catalogue {
    let result = |place: usize| results.get(place).map(Vec::as_slice).unwrap_or_default();
    let mut catalogue = Catalogue::default();
    for row in result(0) {
        let [oid, schema, table, number, column, kind, of] = row.as_slice() else { continue };
        let (Ok(oid), Ok(number)) = (oid.parse(), number.parse()) else { continue };
        let classes = classes(schema, table, column);
        if TEXTS.contains(&kind.as_str()) && TABLES.contains(&of.as_str()) && !classes.is_empty() {
            catalogue.plain.insert((oid, number));
        }
        catalogue.relations.insert(oid);
        if of == "v" {
            catalogue.views.insert(oid);
        }
        let origin = ColumnRef { table: format!("{schema}.{table}"), column: column.clone() };
        catalogue.columns.insert((oid, number), (origin, classes));
    }
    let numbers = |row: &Row| -> Option<(u32, u32, i16)> {
        let [one, other, column] = row.as_slice() else { return None };
        Some((one.parse().ok()?, other.parse().ok()?, column.parse().ok()?))
    };
    let generated = |row: &Row| -> Option<(u32, i16, i16)> {
        let [table, column, source] = row.as_slice() else { return None };
        Some((table.parse().ok()?, column.parse().ok()?, source.parse().ok()?))
    };
    let views: Vec<_> = result(1).iter().filter_map(numbers).collect();
    let children: Vec<_> = result(2).iter().filter_map(numbers).collect();
    let generated: Vec<_> = result(3).iter().filter_map(generated).collect();
    while catalogue.spread(&views, &children) | catalogue.generate(&generated) {}
    for (key, (column, _)) in catalogue.columns.iter().filter(|(_, (_, c))| !c.is_empty()) {
        catalogue.by_name.entry(column.column.clone()).or_default().push(*key);
    }
    catalogue
}

impl Catalogue {
    /// Carries classes one step further: from columns to all columns of the views that use them,
    /// and between parents and children of the same column name. Whether anything changed.
    fn spread(&mut self, views: &[(u32, u32, i16)], children: &[(u32, u32, i16)]) -> bool {
        let mut found: Vec<((u32, i16), Vec<Class>)> = Vec::new();
        for &(view, table, column) in views {
            let used: Vec<&Vec<Class>> = self
                .columns
                .iter()
                .filter(|((oid, number), _)| {
                    (table == 0 || *oid == table) && (column == 0 || *number == column)
                })
                .map(|(_, (_, classes))| classes)
                .filter(|classes| !classes.is_empty())
                .collect();
            for classes in used {
                let of_view = self.columns.keys().filter(|(oid, _)| *oid == view);
                found.extend(of_view.map(|key| (*key, classes.clone())));
            }
        }
        for &(child, parent, _) in children {
            for (from, to) in [(parent, child), (child, parent)] {
                let named = self.columns.iter().filter(|((oid, _), _)| *oid == from);
                for (_, (column, classes)) in named.filter(|(_, (_, c))| !c.is_empty()) {
                    let same = self.columns.iter().filter(|((oid, _), (other, _))| {
                        *oid == to && other.column == column.column
                    });
                    found.extend(same.map(|(key, _)| (*key, classes.clone())));
                }
            }
        }
        self.add(found)
    }

    /// Carries classes from columns to those that are generated from them.
    fn generate(&mut self, generated: &[(u32, i16, i16)]) -> bool {
        let found = generated.iter().filter_map(|&(table, column, source)| {
            let (_, classes) = self.columns.get(&(table, source))?;
            Some(((table, column), classes.clone()))
        });
        let found = found.collect();
        self.add(found)
    }

    fn add(&mut self, found: Vec<((u32, i16), Vec<Class>)>) -> bool {
        let mut changed = false;
        for (key, classes) in found {
            if let Some((_, own)) = self.columns.get_mut(&key) {
                for class in classes {
                    if !own.contains(&class) {
                        own.push(class);
                        changed = true;
                    }
                }
            }
        }
        changed
    }
}
