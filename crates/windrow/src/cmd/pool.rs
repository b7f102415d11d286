//! `windrow pool`.

use windrow_core::ops::{self, BackgroundFilling, FillOccasion, Holdings, KeeperMode, Pool, WarmRequest};

use super::{Context, Form};
use crate::{
    args::{PoolCommand, WarmArgs},
    errors::{Exit, Problem},
    progress::Progress,
    render,
    wire::{
        PoolResizeDocument, PoolStatusDocument, PoolTemplateDocument, PoolTemplatesRemovedDocument,
        PoolWarmDocument,
    },
};

/// Tells what is held ready, makes more of it, or less.
pub(super) fn pool(context: &mut Context, command: &PoolCommand) -> Result<Exit, Problem> {
    let pool = context.open()?;
    match command {
        PoolCommand::Status { du, json } => {
            let held = if *du { Some(ops::holdings(&pool)?) } else { None };
            status(context, &pool, held.as_ref(), Form::from(*json))
        }
        PoolCommand::Warm { count, wait: true, json } => warm(context, &pool, *count, Form::from(*json)),
        PoolCommand::Warm { count, .. } => {
            ops::start_filling(&pool, WarmRequest { count: *count })?;
            context.console.say(&render::filling(*count));
            Ok(Exit::OK)
        }
        PoolCommand::Template { remove: true, json, .. } => {
            remove_templates(context, &pool, Form::from(*json))
        }
        PoolCommand::Template { base, json, .. } => {
            template(context, &pool, base.as_deref(), Form::from(*json))
        }
        PoolCommand::Resize { count, json } => resize(context, &pool, *count, Form::from(*json)),
    }
}

fn status(context: &mut Context, pool: &Pool, held: Option<&Holdings>, form: Form) -> Result<Exit, Problem> {
    let status = ops::pool_status(pool)?;
    match form {
        Form::Json => context.document(&PoolStatusDocument::new(&status, held))?,
        Form::Human => context.text(&render::pool_status(&status, held, &context.view()))?,
    }
    Ok(Exit::OK)
}

fn warm(context: &mut Context, pool: &Pool, count: u32, form: Form) -> Result<Exit, Problem> {
    let mut progress = Progress::new(&mut context.console);
    let filled = ops::fill(pool, WarmRequest { count }, &mut progress)?;
    progress.finish();
    match form {
        Form::Json => context.document(&PoolWarmDocument::from(&filled))?,
        Form::Human => context.console.say(&render::filled(&filled)),
    }
    Ok(Exit::OK)
}

fn template(context: &mut Context, pool: &Pool, base: Option<&str>, form: Form) -> Result<Exit, Problem> {
    let mut progress = Progress::new(&mut context.console);
    let template = ops::make_template(pool, base, &mut progress)?;
    progress.finish();
    match form {
        Form::Json => context.document(&PoolTemplateDocument::from(&template))?,
        Form::Human => context.console.say(&render::template(&template, &context.view())),
    }
    Ok(Exit::OK)
}

fn remove_templates(context: &mut Context, pool: &Pool, form: Form) -> Result<Exit, Problem> {
    let removed = ops::remove_templates(pool)?;
    match form {
        Form::Json => context.document(&PoolTemplatesRemovedDocument::new(removed))?,
        Form::Human => context.console.say(&render::templates_removed(removed)),
    }
    Ok(Exit::OK)
}

fn resize(context: &mut Context, pool: &Pool, count: u32, form: Form) -> Result<Exit, Problem> {
    let mut progress = Progress::new(&mut context.console);
    let shrunk = ops::shrink(pool, count, &mut progress)?;
    progress.finish();
    match form {
        Form::Json => context.document(&PoolResizeDocument::from(&shrunk))?,
        Form::Human => context.console.say(&render::shrunk(&shrunk)),
    }
    Ok(Exit::OK)
}

/// The filling in the background: it speaks to nobody.
pub(super) fn fill_in_background(context: &Context, args: &WarmArgs) -> Exit {
    let request = ops::KeepRequest { common_dir: args.pool.common_dir.clone(), root: args.pool.root.clone() };
    let environment = context.surroundings.for_core(&[]);
    let filling = BackgroundFilling {
        request: WarmRequest { count: args.count },
        occasion: if args.moved { FillOccasion::Moved } else { FillOccasion::Use },
        keeper: if args.keeper { KeeperMode::OnDemand } else { KeeperMode::Never },
    };
    match ops::fill_in_background(environment, &request, filling) {
        Ok(_) => Exit::OK,
        Err(_) => Exit::FAILURE,
    }
}
