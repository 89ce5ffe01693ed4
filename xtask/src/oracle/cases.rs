//! The matrix: every message, every version, every family, and every field that a version lacks.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::values::{self, Family, join, struct_fields};
use crate::schema::{Field, Schema};
use crate::versions::Versions;

/// A value of a message, to be written in a version.
pub(super) struct Case<'s> {
    pub(super) message: &'s str,
    pub(super) version: i16,
    /// The version whose fields the value has: `version`, but for [`FOREIGN`] cases.
    pub(super) read_as: i16,
    /// The family's name, or [`FOREIGN`] and the path of a field.
    pub(super) family: String,
    pub(super) value: Value,
}

/// Begins the family of a case with a field that the version lacks.
pub(super) const FOREIGN: &str = "foreign:";

/// What the schemas say how many there must be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Matrix {
    pub(super) messages: usize,
    pub(super) versions: usize,
    pub(super) of_families: usize,
    pub(super) foreign: usize,
}

impl Matrix {
    /// Counted from the version ranges alone, but for the foreign fields, which are counted one by one.
    pub(super) fn of(schemas: &[Schema]) -> Result<Self> {
        let mut matrix = Self::default();
        for schema in schemas {
            let Versions::Range { min, max } = schema.valid_versions else { continue };
            let versions = usize::from(max.abs_diff(min)) + 1;
            let flexible = schema.flexible_versions.unwrap_or(Versions::None);
            let flexible = flexible.intersect(schema.valid_versions).iter().count();
            matrix.messages += 1;
            matrix.versions += versions;
            matrix.of_families += versions * (Family::ALL.len() - 1) + flexible;
            for version in min..=max {
                matrix.foreign += foreign_fields(schema, version)?.len();
            }
        }
        Ok(matrix)
    }

    pub(super) fn cases(&self) -> usize {
        self.of_families + self.foreign
    }
}

/// Every case of the schemas, in the order of messages, versions, families.
pub(super) fn all(schemas: &[Schema]) -> Result<Vec<Case<'_>>> {
    let mut cases = Vec::new();
    for schema in schemas {
        for version in schema.valid_versions.iter() {
            let is_flexible = values::is_flexible(schema, version);
            for family in Family::ALL.into_iter().filter(|family| family.is_of(is_flexible)) {
                let value = values::value(schema, version, family)?;
                let family = family.name().to_owned();
                cases.push(Case {
                    message: &schema.name,
                    version,
                    read_as: version,
                    family,
                    value,
                });
            }
            for (path, read_as) in foreign_fields(schema, version)? {
                let value = values::with_foreign_field(schema, read_as, version, &path)?;
                let family = FOREIGN.to_owned() + &path;
                cases.push(Case { message: &schema.name, version, read_as, family, value });
            }
        }
    }
    Ok(cases)
}

/// The fields that a version lacks in the structs that it has: the path of each, and the nearest
/// version that has it.
fn foreign_fields(schema: &Schema, version: i16) -> Result<Vec<(String, i16)>> {
    let mut found = Vec::new();
    add_foreign(schema, &schema.fields, version, schema.valid_versions, "", &mut found)?;
    Ok(found)
}

/// `shared` are the versions that have the struct of these fields at this place.
fn add_foreign(
    schema: &Schema,
    fields: &[Field],
    version: i16,
    shared: Versions,
    path: &str,
    found: &mut Vec<(String, i16)>,
) -> Result<()> {
    for field in fields {
        let path = join(path, &field.name);
        let versions = field.versions.intersect(shared);
        if versions.contains(version) {
            let inner = struct_fields(schema, field)?;
            add_foreign(schema, inner, version, versions, &path, found)?;
        } else if let Some(nearest) = versions.iter().min_by_key(|of| of.abs_diff(version)) {
            found.push((path, nearest));
        }
    }
    Ok(())
}

/// Fails unless the cases are what the matrix says.
pub(super) fn check(cases: &[Case<'_>], matrix: &Matrix) -> Result<()> {
    let foreign = cases.iter().filter(|case| case.family.starts_with(FOREIGN)).count();
    let counted = (cases.len() - foreign, foreign);
    let expected = (matrix.of_families, matrix.foreign);
    ensure!(counted == expected, "{counted:?} cases were made, the schemas say {expected:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_are_those_of_the_matrix() {
        let schemas = Schema::read_all(&crate::root()).unwrap();
        let matrix = Matrix::of(&schemas).unwrap();
        assert_eq!((matrix.messages, matrix.versions), (195, 640));
        let mut cases = all(&schemas).unwrap();
        check(&cases, &matrix).unwrap();
        cases.pop();
        assert!(check(&cases, &matrix).is_err());
    }

    #[test]
    fn a_foreign_field_comes_from_the_nearest_version_that_has_it() {
        let schemas = Schema::read_all(&crate::root()).unwrap();
        let schema = schemas.iter().find(|schema| schema.name == "ProduceRequest").unwrap();
        let foreign = |version| foreign_fields(schema, version).unwrap();
        assert_eq!(foreign(12), [("TopicData.TopicId".to_owned(), 13)]);
        assert_eq!(foreign(13), [("TopicData.Name".to_owned(), 12)]);
    }
}
