//! `cluster image import FILE`: sends an archive to the daemon in pieces.

use std::path::PathBuf;

use clap::Args;
use cluster_api::pb;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::client::Client;
use crate::failure::Failure;
use crate::print;
use crate::render::age;
use crate::render::row::ImageRow;

/// Bytes of one message.
const PIECE: usize = 512 << 10;

/// Flags of `image import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The archive, or - for standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// Name for the image, where the archive has none or another is wanted
    #[arg(long, value_name = "NAME[:TAG]")]
    name: Option<String>,
}

impl Import {
    /// Sends it; prints the names of what was imported.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let archive = self.open().await?;
        let (sender, pieces) = mpsc::channel(2);
        let name = self.name.unwrap_or_default();
        let mut local = client.local()?;
        let call = local.import_image(ReceiverStream::new(pieces));
        // When the daemon refuses the archive early, its words count and not that the rest could not be sent.
        let (read, answer) = tokio::join!(send(archive, name, sender), call);
        let answer = answer.map_err(Failure::from);
        read.map_err(|error| Failure::new("E0601", format!("the archive cannot be read: {error}")))?;
        for row in ImageRow::rows(answer?.into_inner().images, age::now()) {
            print::data(&format!("{}\n", row.name()))?;
        }
        Ok(())
    }

    async fn open(&self) -> Result<Box<dyn AsyncRead + Send + Unpin>, Failure> {
        if self.file.as_os_str() == "-" {
            return Ok(Box::new(tokio::io::stdin()));
        }
        let file = tokio::fs::File::open(&self.file).await;
        let file = file.map_err(|error| Failure::usage(format!("{} cannot be read: {error}", self.file.display())))?;
        Ok(Box::new(file))
    }
}

/// Reads to the end; stops without a word when the daemon stopped listening.
async fn send(
    mut archive: Box<dyn AsyncRead + Send + Unpin>,
    mut name: String,
    sender: mpsc::Sender<pb::ImportImageRequest>,
) -> std::io::Result<()> {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        while piece.len() < PIECE && (&mut archive).take((PIECE - piece.len()) as u64).read_buf(&mut piece).await? > 0 {}
        if piece.is_empty() {
            return Ok(());
        }
        if sender.send(pb::ImportImageRequest { piece, name: std::mem::take(&mut name) }).await.is_err() {
            return Ok(());
        }
    }
}
