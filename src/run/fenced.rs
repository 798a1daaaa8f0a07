//! Connections on which nothing is sent once the fence is shut: a process that is frozen between its last look at the fence and the send
//! would send what it had ready when it wakes, and by then somebody else leads.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tower::{Service, ServiceExt};

use super::fence::Fence;

/// Makes connections that the fence holds back.
#[derive(Clone, Debug)]
pub struct Fencing<C> {
    /// What makes them.
    pub connector: C,
    /// What they obey.
    pub fence: Fence,
}

impl<C> Service<Uri> for Fencing<C>
where
    C: Service<Uri> + Clone + Send + 'static,
    C::Future: Send,
    C::Response: Send,
    C::Error: Send,
{
    type Response = Fenced<C::Response>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connector, fence) = (self.connector.clone(), self.fence.clone());
        Box::pin(async move {
            let socket = connector.oneshot(uri).await?;
            Ok(Fenced { socket, fence })
        })
    }
}

/// A connection that the fence holds back.
#[derive(Debug)]
pub struct Fenced<S> {
    socket: S,
    fence: Fence,
}

impl<S: Write + Unpin> Fenced<S> {
    /// The socket, as long as it may be written to.
    fn open(&mut self) -> io::Result<Pin<&mut S>> {
        match self.fence.holds() {
            true => Ok(Pin::new(&mut self.socket)),
            false => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "somebody else may lead by now",
            )),
        }
    }
}

impl<S: Read + Unpin> Read for Fenced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, into)
    }
}

impl<S: Write + Unpin> Write for Fenced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.open()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        all: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.open()?.poll_write_vectored(cx, all)
    }
}

impl<S: Connection> Connection for Fenced<S> {
    fn connected(&self) -> Connected {
        self.socket.connected()
    }
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_was_ready_is_not_sent_once_the_fence_is_shut() {
        let fence = Fence::default();
        fence.open();
        let (near, mut far) = tokio::io::duplex(64);
        let socket = TokioIo::new(near);
        let mut near = TokioIo::new(Fenced {
            socket,
            fence: fence.clone(),
        });
        near.write_all(b"while it leads").await.expect("it leads");
        fence.shut();
        let refused = near.write_all(b"and after").await;
        assert!(refused.is_err_and(|e| e.kind() == io::ErrorKind::PermissionDenied));
        let parts = [io::IoSlice::new(b"and in parts")];
        assert!(near.write_vectored(&parts).await.is_err());
        drop(near);
        let mut came = String::new();
        far.read_to_string(&mut came).await.expect("it is text");
        assert_eq!(came, "while it leads");
    }
}
