//! The packed node tests: `testdata/node_tests.zip`, written by `scripts/node-tests/run`.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use anyhow::{Context, Result};
use prost::Message;
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto};

use crate::values::Values;

const ARCHIVE: &[u8] = include_bytes!("../testdata/node_tests.zip");

/// A backend test: a model, its inputs and what it must give.
#[derive(Clone, Debug)]
pub struct NodeTest {
    /// The release of the onnx package that it is from.
    pub release: String,
    /// Its name there, without `test_`.
    pub name: String,
    pub(crate) model: ModelProto,
    pub(crate) inputs: Vec<TensorProto>,
    pub(crate) outputs: Vec<Values>,
}

impl NodeTest {
    pub(crate) fn nodes(&self) -> &[NodeProto] {
        self.model.graph.as_ref().map_or(&[], |graph| &graph.node)
    }

    /// Elements of its largest input or output.
    pub fn elements(&self) -> usize {
        let inputs = self.inputs.iter().map(|input| {
            let extents = input.dims.iter().map(|&extent| extent as usize);
            extents.product::<usize>()
        });
        let outputs = self.outputs.iter().map(|output| output.data.len());
        inputs.chain(outputs).max().unwrap_or(0)
    }

    /// The names of its operators, in order.
    pub fn operators(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.nodes().iter().map(|node| &*node.op_type).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// A test of a release that is not packed.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// The release of the onnx package.
    pub release: String,
    /// Its name there.
    pub name: String,
    /// Why, as `class: details`.
    pub reason: String,
}

/// Everything in the archive, in the order of releases and names.
///
/// # Errors
/// If the archive is not what the script writes.
pub fn read() -> Result<(Vec<NodeTest>, Vec<LeftOut>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(ARCHIVE))?;
    let mut folders: BTreeMap<(String, String), BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    let mut left_out = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let path = entry.name()?.into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        match path.split('/').collect::<Vec<_>>()[..] {
            [release, test, file] => {
                let folder = (release.to_owned(), test.to_owned());
                folders
                    .entry(folder)
                    .or_default()
                    .insert(file.to_owned(), content);
            }
            ["left_out.csv"] => left_out = read_left_out(&content)?,
            _ => {}
        }
    }
    let tests = folders
        .into_iter()
        .map(|((release, name), files)| {
            read_test(&release, &name, &files).with_context(|| format!("{release}/{name}"))
        })
        .collect::<Result<_>>()?;
    Ok((tests, left_out))
}

fn read_test(release: &str, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<NodeTest> {
    let model = files.get("model.onnx").context("there is no model")?;
    let numbered = |kind: &str| -> Result<Vec<TensorProto>> {
        let files = (0..).map_while(|index| files.get(&format!("{kind}_{index}.pb")));
        files
            .map(|file| Ok(TensorProto::decode(file.as_slice())?))
            .collect()
    };
    let outputs = numbered("output")?;
    Ok(NodeTest {
        release: release.to_owned(),
        name: name.trim_start_matches("test_").to_owned(),
        model: ModelProto::decode(model.as_slice())?,
        inputs: numbered("input")?,
        outputs: outputs.iter().map(Values::read).collect::<Result<_>>()?,
    })
}

fn read_left_out(content: &[u8]) -> Result<Vec<LeftOut>> {
    let mut reader = csv::Reader::from_reader(content);
    let rows = reader.records().map(|row| {
        let row = row?;
        let cell = |index: usize| row.get(index).unwrap_or_default().to_owned();
        Ok(LeftOut {
            release: cell(0),
            name: cell(1),
            reason: cell(2),
        })
    });
    rows.collect()
}
